/** All environments of one control plane: taken up, changed by `apply`, tried again while something is in their way. */
import { type Logger, systemClock } from '#base';
import { assertOwnership, type Catalog, type Ownership, saveEnvironment } from '#catalog';
import type { Environment } from '#environment';
import type { Jobs, Schedule } from '../durable/jobs.ts';
import { errors } from '../errors.ts';
import type { StateFolder } from '../state/folder.ts';
import type { Activity } from './activity.ts';
import { environmentName, type Proving } from './context.ts';
import { declarationDigest } from './declaration-digest.ts';
import { EnvironmentProtection, protectedStores } from './environment-protection.ts';
import { explained, keepTrying, type Trouble } from './keep-trying.ts';
import type { OwnerClaim } from './repository-owner.ts';
import { createSlots, type Slots } from './slots.ts';

export type EnvironmentsOptions = {
  state: StateFolder;
  catalog: Catalog;
  jobs(): Jobs;
  ownership: Ownership;
  claim: OwnerClaim;
  version: string;
  activity: Activity;
  log: Logger;
};

type Scope = { environment?: string | undefined; stage?: string | undefined };

/** One environment: under protection, or in trouble with its reason. */
export type Entry = {
  name: string;
  stage: string;
  file: string;
  appliedAtMs: number;
  protection: EnvironmentProtection | undefined;
  trouble: Trouble | undefined;
  /** Stops the attempts to take it up. */
  giveUp: AbortController;
  /** Resolves when the first attempt to take it up has ended, well or not. */
  firstAttempt: PromiseWithResolvers<void>;
  /** The attempts, until they end. */
  opening: Promise<unknown>;
  /** Resolves when it is under protection. */
  up: PromiseWithResolvers<EnvironmentProtection>;
};

export type StoreChange = {
  name: string;
  change: 'added' | 'changed' | 'unchanged' | 'removed' | 'excluded';
};

/** Captures side by side: each reads a disk and keeps several threads busy. */
const CAPTURES_AT_ONCE = 3;
const CLEAN_UP_EVERY_MS = 86_400_000;

export class Environments {
  readonly #options: EnvironmentsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #slots: Slots = createSlots(CAPTURES_AT_ONCE);
  readonly #turn = createSlots(1);
  readonly #proving: Proving;
  readonly #stop = new AbortController();

  constructor(options: EnvironmentsOptions) {
    this.#options = options;
    this.#proving = {
      folder: options.state.proofs,
      version: options.version,
      controlPlane: options.claim.controlPlane,
      turn: createSlots(1),
    };
  }

  all(): Entry[] {
    return [...this.#entries.values()];
  }

  /** Throws `app/no-environment`, `app/environment-not-found` or `app/environment-unclear`. */
  find(scope: Scope): Entry {
    const entries = this.all();
    if (entries.length === 0) throw errors.noEnvironment([]);
    const known = entries.map(environmentName).join(', ');
    const fitting = entries.filter(
      ({ name, stage }) =>
        (scope.environment === undefined || scope.environment === name) &&
        (scope.stage === undefined || scope.stage === stage),
    );
    const [found, second] = fitting;
    if (second) throw errors.environmentUnclear([known]);
    if (found) return found;
    const wanted = [scope.environment ?? '*', scope.stage ?? '*'].join('/');
    throw errors.environmentNotFound([wanted, known]);
  }

  /** Throws also `app/environment-trouble`. */
  protected(scope: Scope): EnvironmentProtection {
    const entry = this.find(scope);
    if (entry.protection) return entry.protection;
    const what = entry.trouble?.what ?? 'it is being taken up';
    throw errors.environmentTrouble([environmentName(entry), what]);
  }

  /** Waits until it is under protection; rejects with an `interrupted` error when the control plane stops before. */
  async whenUp(scope: Scope): Promise<EnvironmentProtection> {
    const entry = this.find(scope);
    const stopped = Promise.withResolvers<never>();
    const onStop = () => stopped.reject(errors.stopping([]));
    if (this.#stop.signal.aborted) onStop();
    this.#stop.signal.addEventListener('abort', onStop, { once: true });
    try {
      return await Promise.race([entry.up.promise, stopped.promise]);
    } finally {
      this.#stop.signal.removeEventListener('abort', onStop);
    }
  }

  /** At a start: goes on trying in the background until it works. */
  takeUp(
    known: { name: string; stage: string; file: string },
    load: () => Promise<Environment>,
  ): void {
    this.#openInBackground(this.#enter(known), async () => {
      const environment = await load();
      if (environmentName(environment) === environmentName(known)) return environment;
      const what = `${known.file} declares ${environmentName(environment)} now`;
      throw errors.environmentTrouble([environmentName(known), what]);
    });
  }

  /** `apply`: what is declared is protected from now on. Rejects where that can't be, and leaves what was. */
  async apply(environment: Environment, takeOver: boolean): Promise<StoreChange[]> {
    return this.#turn.use(this.#stop.signal, async () => {
      const before = this.#entries.get(environmentName(environment));
      await before?.firstAttempt.promise;
      const changes = changesBetween(before?.protection?.environment, environment);
      const isSame =
        before?.protection !== undefined &&
        declarationDigest(before.protection.environment) === declarationDigest(environment);
      if (!isSame) await this.#replace(before, environment, takeOver);
      await this.#save(environment);
      return changes;
    });
  }

  async close(options: { dispose: boolean }): Promise<void> {
    this.#stop.abort(errors.stopping([]));
    const entries = this.all();
    for (const entry of entries) entry.giveUp.abort(errors.stopping([]));
    await Promise.all(entries.map((entry) => entry.opening));
    await Promise.all(entries.map((entry) => entry.protection?.close(options)));
  }

  async #replace(
    before: Entry | undefined,
    environment: Environment,
    takeOver: boolean,
  ): Promise<void> {
    before?.giveUp.abort(errors.stopping([]));
    await before?.opening;
    await before?.protection?.close({ dispose: false });
    const entry = this.#enter(environment);
    entry.firstAttempt.resolve();
    try {
      await this.#open(entry, environment, takeOver);
    } catch (error) {
      entry.trouble = { ...explained(error), sinceMs: systemClock.nowMs() };
      if (before?.protection) {
        const old = before.protection.environment;
        this.#openInBackground(entry, async () => old);
      } else {
        this.#entries.delete(environmentName(environment));
      }
      throw error;
    }
  }

  #enter({ name, stage, file }: { name: string; stage: string; file: string }): Entry {
    const entry: Entry = {
      ...{ name, stage, file },
      appliedAtMs: systemClock.nowMs(),
      protection: undefined,
      trouble: undefined,
      giveUp: new AbortController(),
      firstAttempt: Promise.withResolvers<void>(),
      opening: Promise.resolve(),
      up: Promise.withResolvers<EnvironmentProtection>(),
    };
    this.#entries.set(environmentName(entry), entry);
    return entry;
  }

  #openInBackground(entry: Entry, load: () => Promise<Environment>): void {
    entry.opening = keepTrying(
      {
        signal: entry.giveUp.signal,
        onTrouble: (trouble) => {
          entry.trouble = trouble;
          entry.firstAttempt.resolve();
          if (trouble) this.#options.log.warn({ what: trouble.what }, 'environment not taken up');
        },
      },
      async () => this.#open(entry, await load(), false),
    );
  }

  async #open(entry: Entry, environment: Environment, takeOver: boolean): Promise<void> {
    const { catalog, jobs, state, claim, log, ownership, activity } = this.#options;
    await assertOwnership(catalog.pool, ownership);
    const protection = await EnvironmentProtection.open({
      ...{ environment, catalog, claim, takeOver, log, activity },
      proving: this.#proving,
      jobs: jobs(),
      slots: this.#slots,
      storesFolder: state.stores,
    });
    if (entry.giveUp.signal.aborted) return protection.close({ dispose: false });
    entry.protection = protection;
    try {
      await protection.start();
      await this.#schedule();
      for (const schedule of protection.maintenanceSchedules()) await jobs().startMissed(schedule);
    } catch (error) {
      entry.protection = undefined;
      await protection.close({ dispose: false });
      throw error;
    }
    entry.trouble = undefined;
    entry.up.resolve(protection);
  }

  async #schedule(): Promise<void> {
    const schedules: Schedule[] = this.all().flatMap(
      (entry) => entry.protection?.schedules() ?? [],
    );
    schedules.push({ name: 'clean-up', everyMs: CLEAN_UP_EVERY_MS, job: { task: 'clean-up' } });
    await this.#options.jobs().schedule(schedules);
  }

  async #save(environment: Environment): Promise<void> {
    const { name, stage, file, overlay } = environment;
    await saveEnvironment(
      this.#options.catalog.pool,
      { name, stage, file, overlay },
      environment.stores.map((store) => ({
        name: store.name,
        source: store.type,
        declared:
          'own' in store
            ? { protect: store.protect, rpoMs: store.rpoMs, keepMs: store.keepMs }
            : { protect: store.protect },
      })),
    );
  }
}

/** By digests of each store, secrets included. */
function changesBetween(before: Environment | undefined, after: Environment): StoreChange[] {
  const old = new Map((before ? protectedStores(before) : []).map((store) => [store.name, store]));
  const changes = after.stores.map((store): StoreChange => {
    const known = old.get(store.name);
    old.delete(store.name);
    if (!('own' in store)) return { name: store.name, change: 'excluded' };
    if (!known) return { name: store.name, change: 'added' };
    const same = declarationDigest(known) === declarationDigest(store);
    return { name: store.name, change: same ? 'unchanged' : 'changed' };
  });
  return [...changes, ...[...old.keys()].map((name): StoreChange => ({ name, change: 'removed' }))];
}
