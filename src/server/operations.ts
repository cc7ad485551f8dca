/**
 * What the routes call: the composition root hands it in. The server knows neither the data plane nor the scheduler;
 * values are as the routes' schemas say.
 */

import type { Capture, CaptureRequest } from './routes/captures.ts';
import type { Applied, ApplyRequest, EnvironmentSummary } from './routes/environments.ts';
import type { Mark, MarkRequest } from './routes/marks.ts';
import type {
  Difference,
  Part,
  PartRequest,
  UndoMergeRequest,
  UndoneMerge,
} from './routes/parts.ts';
import type { Point } from './routes/points.ts';
import type { Proof, ProofRequest, ProofRun } from './routes/proofs.ts';
import type { Recovery, RecoveryChange, RecoveryRequest } from './routes/recoveries.ts';
import type { ServerSummary, ShutdownRequest } from './routes/server.ts';
import type { Status } from './routes/status.ts';

/** Both absent: the only environment that this server protects. */
export type Scope = { environment?: string | undefined; stage?: string | undefined };

export interface Operations {
  server(): Promise<ServerSummary>;
  /** Resolves when the shutdown has begun; the process ends by itself afterwards. */
  shutdown(request: ShutdownRequest): Promise<void>;
  environments(): Promise<EnvironmentSummary[]>;
  apply(request: ApplyRequest): Promise<Applied>;
  status(scope: Scope): Promise<Status>;
  points(scope: Scope, limit: number): Promise<Point[]>;
  marks(scope: Scope, limit: number): Promise<Mark[]>;
  mark(scope: Scope, request: MarkRequest): Promise<Mark>;
  /** Starts captures, one for each store that is named (or all); they go on when nobody waits. */
  protect(scope: Scope, request: CaptureRequest): Promise<Capture[]>;
  /** Waits up to `waitMs` for its end. */
  capture(id: string, waitMs: number): Promise<Capture>;
  proofs(scope: Scope, limit: number): Promise<Proof[]>;
  /** Starts a proof; it goes on when nobody waits. */
  prove(scope: Scope, request: ProofRequest): Promise<ProofRun>;
  /** Waits up to `waitMs` for its end. */
  proofRun(id: string, waitMs: number): Promise<ProofRun>;
  recoveries(scope: Scope): Promise<Recovery[]>;
  recover(scope: Scope, request: RecoveryRequest): Promise<Recovery>;
  recovery(id: string, waitMs: number): Promise<Recovery>;
  /** Promotes, undoes or removes it; mounts it again, holds its hydration, has it leave its mounts. */
  changeRecovery(id: string, change: RecoveryChange): Promise<Recovery>;
  /** In the background. Without a rate at that of before, else at the environment's. */
  hydrateRecovery(id: string, bytesPerSecond: number | undefined): Promise<Recovery>;
  /** Begins to look; what would change production waits for `decidePart`, for a bounded time. */
  beginPart(scope: Scope, request: PartRequest): Promise<Part>;
  /** Waits up to `waitMs` for its preview or its end. */
  part(id: string, waitMs: number): Promise<Part>;
  differences(id: string, from: number, limit: number): Promise<Difference[]>;
  decidePart(id: string, decision: 'apply' | 'discard'): Promise<Part>;
  undoMerge(scope: Scope, id: string, request: UndoMergeRequest): Promise<UndoneMerge>;
}
