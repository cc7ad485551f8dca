/** When a base is made off production: it is due, nothing else goes on in this server, and the last try is some time ago. */
import { systemClock } from '#base';
import type { CaptureRecord } from '#repository';
import type { ProtectionContext } from './context.ts';
import { makeNextBase } from './next-base.ts';
import type { StoreProtection } from './store-protection.ts';

/** Of what came of looking whether one is to be made. */
export type LookedForBase = { capture: string } | { waitsFor: string };

/** A server that is never idle makes one all the same, this long after it was due. */
const IDLE_WITHIN_MS = 3_600_000;
/** What failed costs as much the next time. */
const AGAIN_AFTER_MS = 15 * 60_000;

export class NextBases {
  readonly #context: ProtectionContext;
  readonly #signal: AbortSignal;
  /** Of each store: when it is tried again, though it is due. */
  readonly #notBeforeMs = new Map<string, number>();
  readonly #underWay = new Set<string>();

  /** `signal`: aborted when protection ends. */
  constructor(context: ProtectionContext, signal: AbortSignal) {
    this.#context = context;
    this.#signal = signal;
  }

  /** Rejects where making it failed, which the store shows too. */
  async makeDue(store: StoreProtection): Promise<LookedForBase> {
    const { name } = store.store;
    const waitsFor = this.#obstacle(store);
    if (waitsFor !== undefined) return { waitsFor };
    this.#underWay.add(name);
    this.#notBeforeMs.set(
      name,
      systemClock.nowMs() + Math.min(AGAIN_AFTER_MS, store.bases.everyMs),
    );
    try {
      const record = await this.#context.proving.turn.use(this.#signal, () => this.#make(store));
      if (record) return { capture: record.id };
      this.#notBeforeMs.set(name, systemClock.nowMs() + store.bases.everyMs);
      return { waitsFor: 'a checkpoint of production since the base before' };
    } finally {
      this.#underWay.delete(name);
    }
  }

  /** In words; undefined: it is made now. */
  #obstacle({ newest, bases, store: { name } }: StoreProtection): string | undefined {
    const nowMs = systemClock.nowMs();
    if (!newest) return 'the first base, which production sends';
    const dueMs = newest.startedAtMs + bases.everyMs;
    const nextMs = Math.max(dueMs, this.#notBeforeMs.get(name) ?? 0);
    if (nextMs > nowMs) return `its time, ${new Date(nextMs).toISOString()}`;
    if (this.#underWay.has(name)) return 'the one that is being made';
    const [busyWith] = this.#context.activity.current();
    const isOverdue = nowMs - dueMs > IDLE_WITHIN_MS;
    return busyWith === undefined || isOverdue ? undefined : `${busyWith}, which is under way`;
  }

  async #make(store: StoreProtection): Promise<CaptureRecord | undefined> {
    const { environment, repository, proving } = this.#context;
    return await store.captureBy(async ({ log, progress, signal }) =>
      makeNextBase(
        { environment, repository, folder: proving.folder, log, progress, signal },
        store.store,
      ),
    );
  }
}
