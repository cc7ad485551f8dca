/**
 * Locks as restic keeps them: look for conflicting ones, write ours, wait until others' writes would be visible, look
 * again. Where writes are visible at once there is nothing to wait for: of two that both write before they look, the
 * later one sees the other. A lock is refreshed by writing a new file and only then deleting the old one.
 */
import { HoldfastError, isHoldfastError, sleepMs, systemClock } from '#base';
import { errors } from '../errors.ts';
import type { UnpackedFiles } from '../unpacked-files.ts';
import {
  decodeLock,
  describeLock,
  encodeLock,
  isStale,
  type LockFile,
  type LockKind,
} from './lock-file.ts';
import { LockNotes } from './lock-notes.ts';

export type LockOptions = {
  /**
   * How long to try while others hold the repository; 0 (default) refuses at once. What a process of ours left that is
   * proven to be dead is removed; what seems to be left by others is neither waited for nor removed: `unlock` does that.
   */
  waitMs?: number;
  /** Told once, before the first wait, who holds it. */
  onWait?: (why: HoldfastError) => void;
  signal?: AbortSignal;
  /**
   * Of a shared lock taken from a `Repository`: it stays for some seconds after its release, and who asks for another
   * one meanwhile shares it.
   */
  lingers?: boolean;
};

/** `held`: how and by whom, for messages; absent where the lock couldn't be read. */
export type RemovedLock = { id: string; stale: boolean; held?: string };

/** Held until released. When it could not be refreshed in time, `signal` is aborted: whoever works under it must stop. */
export interface RepositoryLock {
  readonly kind: LockKind;
  readonly signal: AbortSignal;
  /** May be called twice. */
  release(): Promise<void>;
}

export type LockTiming = { settleMs: number; refreshMs: number; lostMs: number };

/** restic's: on any storage, two clients that write at the same time see each other after 200 ms. */
const TIMING: LockTiming = { settleMs: 200, refreshMs: 5 * 60_000, lostMs: 22.5 * 60_000 };

const ASK_AGAIN_MS = 1_000;

export class Locks {
  readonly #files: UnpackedFiles;
  readonly #location: string;
  readonly #timing: LockTiming;
  readonly #notes: LockNotes;
  readonly #isSeenAtOnce: () => Promise<boolean>;

  /** `isSeenAtOnce`: see `Storage`. */
  constructor(
    files: UnpackedFiles,
    location: string,
    isSeenAtOnce: () => Promise<boolean> = async () => false,
    timing: LockTiming = TIMING,
    notes: LockNotes = new LockNotes(),
  ) {
    this.#files = files;
    this.#location = location;
    this.#isSeenAtOnce = isSeenAtOnce;
    this.#timing = timing;
    this.#notes = notes;
  }

  /** Throws `repository/locked` (naming who) or `repository/lock-unreadable`. */
  async take(kind: LockKind, options: LockOptions = {}): Promise<RepositoryLock> {
    const deadlineMs = systemClock.monotonicMs() + (options.waitMs ?? 0);
    let { onWait } = options;
    for (;;) {
      try {
        return await this.#takeNow(kind);
      } catch (error) {
        const busy = isHoldfastError(error, 'repository/locked') && error.facts.stale !== true;
        if (!busy || systemClock.monotonicMs() >= deadlineMs) throw error;
        onWait?.(error);
        onWait = undefined;
        await sleepMs(ASK_AGAIN_MS, options.signal);
      }
    }
  }

  /** Every lock that can be read, and the ids of those that can't. */
  async list(): Promise<{ locks: { id: string; lock: LockFile }[]; unreadable: string[] }> {
    const locks: { id: string; lock: LockFile }[] = [];
    const unreadable: string[] = [];
    for (const id of await this.#files.list('locks')) {
      try {
        const lock = decodeLock(await this.#files.read('locks', id));
        if (lock) locks.push({ id, lock });
        else unreadable.push(id);
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        // Gone since it was listed: its owner refreshed or released it.
        if (error.code !== 'repository/not-in-storage') unreadable.push(id);
      }
    }
    return { locks, unreadable };
  }

  /** Removes stale locks alone (or all of them, also of programs that work at the moment); resolves to what went. */
  async unlock(all = false): Promise<RemovedLock[]> {
    const { locks, unreadable } = await this.list();
    const removed: RemovedLock[] = locks
      .map(({ id, lock }) => ({ id, stale: isStale(lock), held: describeLock(lock) }))
      .filter(({ stale }) => all || stale);
    if (all) removed.push(...unreadable.map((id) => ({ id, stale: false })));
    for (const { id } of removed) {
      await this.#files.remove('locks', id);
      await this.#notes.removeIfLeft(id, async () => {});
    }
    return removed;
  }

  async #takeNow(kind: LockKind): Promise<RepositoryLock> {
    await this.#refuseConflicts(kind, undefined);
    const files = new NotedLocks(this.#files, this.#notes);
    const id = await files.save(kind);
    try {
      if (!(await this.#isSeenAtOnce())) await sleepMs(this.#timing.settleMs);
      await this.#refuseConflicts(kind, id);
    } catch (error) {
      await files.remove(id);
      throw error;
    }
    return new HeldLock(files, kind, id, this.#location, this.#timing);
  }

  async #refuseConflicts(kind: LockKind, own: string | undefined): Promise<void> {
    const { locks, unreadable } = await this.list();
    const [unknown] = unreadable;
    if (unknown) throw errors.lockUnreadable([this.#location, unknown]);
    const conflicts = locks.filter(
      ({ id, lock }) => id !== own && (kind === 'exclusive' || lock.exclusive),
    );
    for (const { id, lock } of conflicts) {
      const fate = await this.#notes.removeIfLeft(id, () => this.#files.remove('locks', id));
      // Who else came upon the lock of the dead may have removed it meanwhile, and the note with it.
      if (fate === 'removed' || !(await this.#isThere(id))) continue;
      const stale = fate === 'unknown' && isStale(lock);
      const ended = stale ? ', which seems to be gone' : '';
      throw errors.locked([this.#location, describeLock(lock) + ended], { facts: { stale } });
    }
  }

  async #isThere(id: string): Promise<boolean> {
    try {
      await this.#files.readStored('locks', id);
      return true;
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'repository/not-in-storage')
        return false;
      throw error;
    }
  }
}

/** Writes and removes locks of this process, noted as long as they are there. */
class NotedLocks {
  readonly #files: UnpackedFiles;
  readonly #notes: LockNotes;

  constructor(files: UnpackedFiles, notes: LockNotes) {
    this.#files = files;
    this.#notes = notes;
  }

  async save(kind: LockKind): Promise<string> {
    let noted: string | undefined;
    try {
      return await this.#files.save('locks', encodeLock(kind), (id) => {
        noted = id;
        return this.#notes.hold(id);
      });
    } catch (error) {
      if (noted !== undefined) await this.#withdraw(noted, error);
      throw error;
    }
  }

  /** What wasn't acknowledged may be there all the same, and would keep others out for as long as this process lives. */
  async #withdraw(id: string, failure: unknown): Promise<void> {
    try {
      await this.#files.remove('locks', id);
      const mayComeLater = isHoldfastError(failure, 'repository/storage-timeout');
      if (!mayComeLater) return await this.#notes.drop(id);
    } catch (error) {
      // The failure of the write is what is told.
      if (!(error instanceof HoldfastError)) throw error;
    }
    await this.#notes.abandon(id);
  }

  async remove(id: string): Promise<void> {
    try {
      await this.#files.remove('locks', id);
      await this.#notes.drop(id);
    } catch (error) {
      await this.#notes.abandon(id);
      throw error;
    }
  }
}

class HeldLock implements RepositoryLock {
  readonly kind: LockKind;
  readonly #files: NotedLocks;
  readonly #location: string;
  readonly #timing: LockTiming;
  readonly #abort = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #id: string;
  #refreshedMs = systemClock.nowMs();
  #refreshing: Promise<void> = Promise.resolve();
  #isRefreshing = false;
  #released = false;

  constructor(files: NotedLocks, kind: LockKind, id: string, location: string, timing: LockTiming) {
    this.#files = files;
    this.kind = kind;
    this.#id = id;
    this.#location = location;
    this.#timing = timing;
    this.#timer = setInterval(() => this.#tick(), timing.refreshMs / 5);
    // A lock alone keeps no process alive: what works under it does.
    this.#timer.unref();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    clearInterval(this.#timer);
    await this.#refreshing;
    await this.#files.remove(this.#id);
  }

  #tick(): void {
    // By the wall clock, as others see it: after a pause of the whole machine they may have taken our lock for stale.
    const ageMs = systemClock.nowMs() - this.#refreshedMs;
    if (ageMs > this.#timing.lostMs) this.#abort.abort(errors.lockLost([this.#location]));
    else if (ageMs >= this.#timing.refreshMs && !this.#isRefreshing) {
      this.#isRefreshing = true;
      this.#refreshing = this.#refresh().finally(() => {
        this.#isRefreshing = false;
      });
    }
  }

  async #refresh(): Promise<void> {
    if (this.#released || this.signal.aborted) return;
    const old = this.#id;
    try {
      this.#id = await this.#files.save(this.kind);
      this.#refreshedMs = systemClock.nowMs();
      await this.#files.remove(old);
    } catch (error) {
      // The next tick tries again; when that goes on too long, the signal tells whoever relies on us.
      if (!(error instanceof HoldfastError)) this.#abort.abort(error);
    }
  }
}
