/**
 * Proofs of one environment: made by themselves, one at a time, when the server is idle and their cost is allowed; or at
 * once, where somebody asks. Each is durable in the repository before the catalog shows it.
 */
import os from 'node:os';
import { formatDuration, type Progress, systemClock } from '#base';
import { listPoints, listProofs, saveProof } from '#catalog';
import type { ProofSettings } from '#environment';
import {
  chooseProof,
  LEAST_READ_BYTES_A_DAY,
  nextAllowedMs,
  type ProofTarget,
  proofOfNothing,
  whyNoMount,
} from '#recovery';
import { type CaptureRecord, type Proof, type RecoveryPoint, writeProof } from '#repository';
import type { ProofRequest } from '#server';
import { errors } from '../errors.ts';
import { whenOf } from '../operations/when.ts';
import {
  chooseToProve,
  declaredDigest,
  holdsAll,
  proveEnvironment,
  sweepLeftProofs,
  type ToProve,
} from '../recovery/index.ts';
import { environmentName, type ProtectionContext } from './context.ts';

export type ProofKeeperOptions = {
  context: ProtectionContext;
  /** Aborted when protection ends: what is under way is given up and taken away. */
  signal: AbortSignal;
  /** The newest capture of each store. */
  newest(): readonly CaptureRecord[];
};

export type Proven = { proof: Proof; notMounted?: string };
/** What came of looking whether there is something to prove. */
export type Looked = { proof: Pick<Proof, 'id' | 'verdict'> } | { waitsFor: string | undefined };

/** Further back nothing is proven by itself, and no cost counts. */
const LOOKED_AT = 500;
const MOST_LOOK_EVERY_MS = 60_000;
const LEAST_LOOK_EVERY_MS = 1_000;
/** A host that is never idle is proven all the same, this long after it was due. */
const IDLE_WITHIN_MS = 3_600_000;

export class ProofKeeper {
  readonly #options: ProofKeeperOptions;
  /** Why none is made just now, though there is something to prove. */
  waitsFor: string | undefined;
  /** Of the one that is under way. */
  progress: Progress | undefined;
  #dueSinceMs: number | undefined;
  #isLooking = false;
  #underWay: Promise<unknown> = Promise.resolve();

  constructor(options: ProofKeeperOptions) {
    this.#options = options;
  }

  /** How often it is looked whether one is to be made. */
  get lookEveryMs(): number {
    const { quietMs = MOST_LOOK_EVERY_MS } = this.#options.context.environment.proofs ?? {};
    return Math.min(MOST_LOOK_EVERY_MS, Math.max(LEAST_LOOK_EVERY_MS, quietMs));
  }

  /** Resolves when nothing of it goes on any more. */
  get ended(): Promise<unknown> {
    return this.#underWay;
  }

  /** Takes away what a server that was killed left of its proofs. */
  async sweep(): Promise<void> {
    const { environment, proving, log } = this.#options.context;
    await sweepLeftProofs(proving.folder, { environment, log });
  }

  /** Proves what is to be proven now; nothing where there is nothing, or it has to wait. */
  async proveDue(): Promise<Looked> {
    const settings = this.#options.context.environment.proofs;
    if (!settings || this.#isLooking) return { waitsFor: undefined };
    this.#isLooking = true;
    try {
      const target = await this.#target();
      this.waitsFor = target && (await this.#obstacle(target, settings));
      if (!target || this.waitsFor !== undefined) return { waitsFor: this.waitsFor };
      const { proof } = await this.#inTurn(() => this.#proveTarget(target));
      return { proof: { id: proof.id, verdict: proof.verdict } };
    } finally {
      this.#isLooking = false;
    }
  }

  /** At once, whatever it costs. Throws what can't be chosen. */
  async proveAsked({ to, full, owner }: ProofRequest): Promise<Proven> {
    const { environment, repository } = this.#options.context;
    return await this.#inTurn(async () => {
      const chosen = await chooseToProve(environment, repository, to && whenOf(to));
      return await this.#prove(chosen, { full, ...(owner === undefined ? {} : { owner }) });
    });
  }

  async #target(): Promise<ProofTarget | undefined> {
    const { catalog, environment } = this.#options.context;
    const scope = { environment: environment.name, stage: environment.stage };
    const nowMs = systemClock.nowMs();
    const [points, rows] = await Promise.all([
      listPoints(catalog.pool, scope, LOOKED_AT),
      listProofs(catalog.pool, scope, LOOKED_AT),
    ]);
    const target = chooseProof({
      points: points.filter(({ record }) => holdsAll(record as RecoveryPoint, environment.stores)),
      proofs: rows.map(({ record }) => record as Proof),
      periodMs: environment.objectives.proofMs,
      declaration: declaredDigest(environment),
      nowMs,
    });
    this.#dueSinceMs = target?.isDue ? (this.#dueSinceMs ?? nowMs) : undefined;
    return target;
  }

  /** What it waits for, in words; undefined: for nothing. */
  async #obstacle({ isDue }: ProofTarget, settings: ProofSettings): Promise<string | undefined> {
    const newest = this.#options.newest();
    const storeBytes = newest.reduce((sum, { statistics }) => sum + statistics.bytes, 0);
    const unmountable = await whyNoMount();
    // So little may be written out each time.
    if (unmountable !== undefined && storeBytes > LEAST_READ_BYTES_A_DAY) {
      return `somebody, for nothing can be mounted here (${unmountable}): holdfast prove`;
    }
    const nowMs = systemClock.nowMs();
    const spent = await this.#spent();
    const allowedMs = nextAllowedMs(spent, settings, { storeBytes, isDue, nowMs });
    if (allowedMs > nowMs) return `what proofs may cost, for ${formatDuration(allowedMs - nowMs)}`;
    if (settings.quietMs === 0) return undefined;
    const { activity } = this.#options.context;
    const [busyWith] = activity.current();
    if (busyWith !== undefined) return `${busyWith}, which is under way`;
    if (activity.quietMs() < settings.quietMs) return 'a quiet moment of this server';
    const isOverdue = nowMs - (this.#dueSinceMs ?? nowMs) > IDLE_WITHIN_MS;
    return isOverdue || isHostIdle() ? undefined : 'an idle host: its load is over its processors';
  }

  /** What this host spent: others have processors of their own. */
  async #spent(): Promise<Proof[]> {
    const { catalog, environment } = this.#options.context;
    const scope = { environment: environment.name, stage: environment.stage };
    const rows = await listProofs(catalog.pool, scope, LOOKED_AT);
    const host = os.hostname();
    return rows.map(({ record }) => record as Proof).filter(({ by }) => by.host === host);
  }

  async #inTurn(work: () => Promise<Proven>): Promise<Proven> {
    const { context, signal } = this.#options;
    const { proving, activity, environment } = context;
    const doing = proving.turn.use(signal, async () => {
      await this.sweep();
      return await activity.during(`a proof of ${environmentName(environment)}`, work);
    });
    this.#underWay = Promise.allSettled([this.#underWay, doing]);
    try {
      return await doing;
    } catch (error) {
      if (signal.aborted) throw errors.stopping([]);
      throw error;
    } finally {
      this.progress = undefined;
    }
  }

  /** A point that can't even be chosen is one that didn't pass. */
  async #proveTarget({ point }: ProofTarget): Promise<Proven> {
    const { environment, repository } = this.#options.context;
    let chosen: ToProve;
    try {
      chosen = await chooseToProve(environment, repository, point ?? { kind: 'latest' });
    } catch (error) {
      this.#options.signal.throwIfAborted();
      const proof = proofOfNothing(error, {
        ...{ environment: environment.name, stage: environment.stage },
        instantMs: point?.atMs ?? systemClock.nowMs(),
        ...(point && { point: point.id }),
        declaration: declaredDigest(environment),
        by: this.#by(),
      });
      await this.#keep(proof);
      return { proof };
    }
    return await this.#prove(chosen, { full: false });
  }

  async #prove(chosen: ToProve, how: { full: boolean; owner?: string }): Promise<Proven> {
    const { context, signal } = this.#options;
    const { environment, repository, proving, log } = context;
    const proven = await proveEnvironment({
      ...{ environment, repository, log, signal },
      ...{ ...chosen, ...how },
      ...{ folder: proving.folder, version: proving.version, controlPlane: proving.controlPlane },
      progress: (progress) => {
        this.progress = progress;
      },
    });
    await this.#keep(proven.proof);
    return proven;
  }

  #by(): Proof['by'] {
    const { version, controlPlane } = this.#options.context.proving;
    return { version, host: os.hostname(), controlPlane };
  }

  async #keep(proof: Proof): Promise<void> {
    const { repository, catalog, log } = this.#options.context;
    await writeProof(repository, proof);
    await saveProof(catalog.pool, proofRow(proof));
    const { instantMs, verdict, cpuMs, readBytes } = proof;
    const told = { instant: new Date(instantMs).toISOString(), verdict, cpuMs, readBytes };
    if (verdict === 'pass') log.info(told, 'a recovery point is proven');
    else
      log.warn(
        { ...told, what: proof.checks.find((one) => one.verdict !== 'pass')?.what },
        'not proven',
      );
  }
}

export function proofRow({ id, environment, stage, point, ...proof }: Proof) {
  const { instantMs, startedAtMs, endedAtMs, verdict } = proof;
  const record = { id, environment, stage, ...(point === undefined ? {} : { point }), ...proof };
  return { id, environment, stage, point, instantMs, startedAtMs, endedAtMs, verdict, record };
}

/** Over the last minute no more was to be done than its processors can do. */
function isHostIdle(): boolean {
  const [lastMinute = 0] = os.loadavg();
  return lastMinute < os.availableParallelism();
}
