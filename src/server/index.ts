/**
 * The server: the control plane's API over HTTP. It checks who asks and what is asked, calls the operations that the
 * composition root hands in, and turns their errors into answers.
 */
export { type ApiOptions, createApi } from './api.ts';
export { openApiText } from './openapi.ts';
export type { Operations, Scope } from './operations.ts';
export type { Capture, CaptureRequest } from './routes/captures.ts';
export type { Applied, ApplyRequest, EnvironmentSummary } from './routes/environments.ts';
export type { Mark, MarkRequest } from './routes/marks.ts';
export type { Difference, Part, PartRequest } from './routes/parts.ts';
export type { Point } from './routes/points.ts';
export type { Proof, ProofRequest, ProofRun } from './routes/proofs.ts';
export type { Recovery, RecoveryChange, RecoveryRequest } from './routes/recoveries.ts';
export type { ServerSummary, ShutdownRequest } from './routes/server.ts';
export type { MaintenanceStatus, ProofStatus, Status, StoreStatus } from './routes/status.ts';
