/** One environment under protection: its repository, its stores, its schedules, its recovery points. */

import fs from 'node:fs/promises';
import path from 'node:path';
import { isHoldfastError, type Logger, systemClock } from '#base';
import type { Catalog } from '#catalog';
import type { Environment } from '#environment';
import {
  type CaptureRecord,
  createRepository,
  openRepository,
  openStorage,
  type Repository,
} from '#repository';
import { findSource } from '#sources';
import type { Jobs, Schedule } from '../durable/jobs.ts';
import { errors } from '../errors.ts';
import { environmentFolder } from '../state/folder.ts';
import type { Activity } from './activity.ts';
import { environmentName, type ProtectionContext, type Proving } from './context.ts';
import { checkWhole, noted, pruneUnused } from './maintenance.ts';
import { NextBases } from './next-bases.ts';
import { captureCatalog, captureInfrastructure } from './own-captures.ts';
import { PointPace } from './point-pace.ts';
import { ProofKeeper } from './proof-keeper.ts';
import { publishCapture, publishPoint } from './publish.ts';
import { reconcile } from './reconcile.ts';
import {
  assertOwner,
  claimRepository,
  type OwnerClaim,
  type RepositoryOwner,
} from './repository-owner.ts';
import { applyRetention } from './retention.ts';
import { schedulesOf } from './schedules.ts';
import { createSlots, type Slots } from './slots.ts';
import { type CaptureCause, type ProtectedStore, StoreProtection } from './store-protection.ts';

export type EnvironmentProtectionOptions = {
  environment: Environment;
  catalog: Catalog;
  jobs: Jobs;
  slots: Slots;
  /** Folder for the stores of all environments. */
  storesFolder: string;
  claim: OwnerClaim;
  /** Claim the repository from another control plane, which is lost. */
  takeOver: boolean;
  activity: Activity;
  proving: Proving;
  log: Logger;
};

/** Of a watched store: its captures are found by their own records, with or without a point. */
const POINT_EVERY_MS = 60_000;

export class EnvironmentProtection {
  readonly environment: Environment;
  readonly context: ProtectionContext;
  readonly stores: ReadonlyMap<string, StoreProtection>;
  readonly proofs: ProofKeeper;
  catalogCapturedAtMs: number | undefined;
  readonly #owner: RepositoryOwner;
  readonly #stop = new AbortController();
  #pointing: Promise<unknown> = Promise.resolve();
  readonly #pace: PointPace;
  readonly #maintenance = createSlots(1);
  readonly #nextBases: NextBases;

  private constructor(context: ProtectionContext, owner: RepositoryOwner) {
    this.context = context;
    this.environment = context.environment;
    this.#owner = owner;
    this.#pace = new PointPace({
      everyMs: POINT_EVERY_MS,
      signal: this.#stop.signal,
      note: () => this.#pointInTurn(),
      onTrouble: (trouble) => {
        if (trouble) context.log.warn({ what: trouble.what }, 'a recovery point is noted later');
      },
    });
    this.stores = new Map(
      protectedStores(context.environment).map((store) => [store.name, this.#protect(store)]),
    );
    this.#nextBases = new NextBases(context, this.#stop.signal);
    this.proofs = new ProofKeeper({
      context,
      signal: this.#stop.signal,
      newest: () => [...this.stores.values()].flatMap(({ newest }) => newest ?? []),
    });
  }

  /**
   * Opens the repository (makes it where there is none), claims it, and brings the catalog up to it. Nothing is
   * captured before `start`. Rejects with the repository's errors, `app/owned-elsewhere` or `app/unknown-source`.
   */
  static async open(options: EnvironmentProtectionOptions): Promise<EnvironmentProtection> {
    const { environment, storesFolder, claim, takeOver, ...shared } = options;
    const repository = await openOrCreate(environment);
    try {
      const folder = environmentFolder(storesFolder, environment);
      await fs.mkdir(folder, { recursive: true, mode: 0o700 });
      for (const { name } of protectedStores(environment)) {
        await fs.mkdir(path.join(folder, name), { recursive: true, mode: 0o700 });
      }
      const log = options.log.child({ environment: environmentName(environment) });
      const context: ProtectionContext = { ...shared, environment, repository, folder, log };
      const owner = await claimRepository(repository, environment, claim, takeOver);
      // A server that was killed while it pruned left a lock that would keep its successor out.
      await repository.locks.unlock();
      await setParity(repository, environment);
      await reconcile(context);
      return new EnvironmentProtection(context, owner);
    } catch (error) {
      await repository.close();
      throw error;
    }
  }

  /** Aborted when its protection ends. */
  get stopping(): AbortSignal {
    return this.#stop.signal;
  }

  async start(): Promise<void> {
    await this.proofs.sweep();
    await Promise.all([...this.stores.values()].map((store) => store.start()));
  }

  /** What is to be started by the clock. */
  schedules(): Schedule[] {
    const stores = [...this.stores.values()];
    return schedulesOf(this.environment, stores, this.proofs.lookEveryMs);
  }

  /** Those of which a period must not pass without them, though nothing may run when it begins. */
  maintenanceSchedules(): Schedule[] {
    const tasks: readonly string[] = ['retention', 'check', 'prune'];
    return this.schedules().filter(({ job }) => tasks.includes(job.task));
  }

  /** Throws `app/store-not-found`. */
  store(name: string): StoreProtection {
    const found = this.stores.get(name);
    if (!found) throw errors.storeNotFound([name, [...this.stores.keys()].join(', ')]);
    return found;
  }

  /** The next base of a store, of the one before, where one is due and nothing else goes on here. */
  async makeDueBase(name: string): Promise<unknown> {
    const store = this.store(name);
    return this.#nextBases.makeDue(store).catch((error) => this.#stopped(error));
  }

  async captureCatalog(): Promise<void> {
    await captureCatalog(this.context, this.#stop.signal).catch((error) => this.#stopped(error));
    this.catalogCapturedAtMs = systemClock.nowMs();
  }

  async applyRetention(): Promise<unknown> {
    const stores = [...this.stores.values()];
    return this.#maintain((signal) =>
      noted(this.context, 'retention', () => applyRetention(this.context, stores, signal)),
    );
  }

  async checkRepository(): Promise<unknown> {
    return this.#maintain((signal) => checkWhole(this.context, signal));
  }

  async pruneRepository(): Promise<unknown> {
    return this.#maintain((signal) => pruneUnused(this.context, signal));
  }

  /** One after another, so that none waits for the lock of another one in vain; only by the owner. */
  async #maintain(work: (signal: AbortSignal) => Promise<unknown>): Promise<unknown> {
    const { signal } = this.#stop;
    try {
      return await this.#maintenance.use(signal, async () => {
        await assertOwner(this.context.repository, this.environment, this.#owner);
        return await this.context.activity.during('maintenance', () => work(signal));
      });
    } catch (error) {
      return this.#stopped(error);
    }
  }

  /** `dispose`: also takes back what was put into the servers for Holdfast (slots). */
  async close(options: { dispose: boolean }): Promise<void> {
    this.#stop.abort(errors.stopping([]));
    const stores = [...this.stores.values()];
    await Promise.all(stores.map((store) => store.stop()));
    await this.proofs.ended;
    await this.#pace.ended;
    await this.#pointing;
    try {
      if (options.dispose) await Promise.all(stores.map((store) => store.dispose()));
    } finally {
      await this.context.repository.close();
    }
  }

  #stopped(error: unknown): never {
    if (this.#stop.signal.aborted) throw errors.stopping([]);
    throw error;
  }

  #protect(store: ProtectedStore): StoreProtection {
    const source = findSource(store.type);
    if (!source) throw errors.unknownSource([store.name, store.type]);
    const onCaptured = (record: CaptureRecord, why: CaptureCause) => this.#captured(record, why);
    return new StoreProtection({ context: this.context, store, source, onCaptured });
  }

  async #captured(record: CaptureRecord, why: CaptureCause): Promise<void> {
    await publishCapture(this.context, record);
    if (why === 'changed') await this.#pace.captured(record.address.store);
    else await this.#pointInTurn();
  }

  /** One point after another, so that each holds the newest of all. */
  async #pointInTurn(): Promise<void> {
    const turn = this.#pointing.then(() => this.point());
    this.#pointing = turn.catch(() => {
      // Told to the one who waits for this turn; the next one has its own.
    });
    await turn;
  }

  /** Notes a recovery point of all that is captured by now, also of what waits for one. */
  async point(): Promise<void> {
    const captures = new Map<string, CaptureRecord>();
    for (const [name, store] of this.stores) {
      if (store.newest) captures.set(name, store.newest);
    }
    const infrastructure = await captureInfrastructure(this.context, this.#stop.signal);
    await publishCapture(this.context, infrastructure);
    await publishPoint(this.context, captures, infrastructure.id);
    this.#pace.pointed(captures.keys());
  }
}

export function protectedStores(environment: Environment): ProtectedStore[] {
  return environment.stores.filter((store): store is ProtectedStore => 'own' in store);
}

async function openOrCreate(environment: Environment): Promise<Repository> {
  const { url, password, s3 } = environment.repository;
  const storage = await openStorage(url, s3 ? { s3 } : {});
  try {
    return await openRepository({ storage, password });
  } catch (error) {
    if (!isHoldfastError(error, 'repository/no-repository')) throw error;
    return createRepository({ storage, password });
  }
}

/** For what is stored from now on; the next check gives it to what is there. */
async function setParity(repository: Repository, environment: Environment): Promise<void> {
  const { parity } = environment.repository;
  if (parity === undefined) return;
  const known = await repository.parity.setting();
  const wanted = { on: parity > 0, overhead: parity > 0 ? parity : known.overhead };
  const isSame = wanted.on === known.on && wanted.overhead === known.overhead;
  if (!isSame) await repository.parity.change(wanted);
}
