/**
 * What tells the lock of a process that died here from that of any living one: as long as a process keeps a lock in a
 * repository, it holds a file of that lock's name on this machine (flock(2)), which the kernel lets go when it dies,
 * however it dies. Numbers of processes and names of hosts prove nothing: containers may share both.
 */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type FileLock, lockFile, systemCode } from '#base';

export class LockNotes {
  readonly #given: string | undefined;
  readonly #held = new Map<string, FileLock>();

  /** Default: `holdfast/locks` below XDG_STATE_HOME or `~/.local/state`. */
  constructor(folder?: string) {
    this.#given = folder;
  }

  /** To be called before the lock is written. Where nothing can be noted, a person must remove what a kill leaves. */
  async hold(lockId: string): Promise<void> {
    let file: string | undefined;
    try {
      file = this.#file(lockId);
      await fs.mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
      const held = await lockFile(file);
      if (held) this.#held.set(lockId, held);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      // A note that nobody holds would say that its owner is dead.
      if (file !== undefined) await fs.rm(file, { force: true }).catch(() => {});
    }
  }

  /** To be called after the lock is removed. May be called twice. */
  async drop(lockId: string): Promise<void> {
    const held = this.#held.get(lockId);
    if (!held) return;
    this.#held.delete(lockId);
    try {
      await fs.rm(this.#file(lockId), { force: true });
    } finally {
      await held.release();
    }
  }

  /** Where the lock couldn't be removed: whoever comes next here may take it for one of the dead. */
  async abandon(lockId: string): Promise<void> {
    const held = this.#held.get(lockId);
    this.#held.delete(lockId);
    await held?.release();
  }

  /**
   * Removes, by the function, what is proven to be left here by the dead, and its note. `held`: by a living process, or
   * another one removes it at the moment; `unknown`: nothing was noted here.
   */
  async removeIfLeft(
    lockId: string,
    remove: (lockId: string) => Promise<void>,
  ): Promise<'removed' | 'held' | 'unknown'> {
    let file: string;
    let found: FileLock | undefined;
    try {
      file = this.#file(lockId);
      await fs.access(file);
      found = await lockFile(file);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return 'unknown';
    }
    if (!found) return 'held';
    try {
      await remove(lockId);
      await fs.rm(file, { force: true });
    } finally {
      await found.release();
    }
    return 'removed';
  }

  /** Throws where the user has no home. */
  #file(lockId: string): string {
    return path.join(this.#given ?? defaultFolder(), lockId);
  }
}

function defaultFolder(): string {
  const base = process.env.XDG_STATE_HOME || path.join(os.homedir(), '.local/state');
  return path.join(base, 'holdfast/locks');
}
