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
  readonly #folder: string;
  readonly #held = new Map<string, FileLock>();

  /** Default: `holdfast/locks` below XDG_STATE_HOME or `~/.local/state`. */
  constructor(folder = defaultFolder()) {
    this.#folder = folder;
  }

  /** To be called before the lock is written. Where nothing can be noted, a person must remove what a kill leaves. */
  async hold(lockId: string): Promise<void> {
    try {
      await fs.mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const held = await lockFile(this.#file(lockId));
      if (held) this.#held.set(lockId, held);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
    }
  }

  /** To be called after the lock is removed. May be called twice. */
  async drop(lockId: string): Promise<void> {
    const held = this.#held.get(lockId);
    if (!held) return;
    this.#held.delete(lockId);
    await fs.rm(this.#file(lockId), { force: true });
    await held.release();
  }

  /**
   * Removes, by the function, what is proven to be left here by the dead, and its note. `held`: by a living process, or
   * another one removes it at the moment; `unknown`: nothing was noted here.
   */
  async removeIfLeft(
    lockId: string,
    remove: (lockId: string) => Promise<void>,
  ): Promise<'removed' | 'held' | 'unknown'> {
    const file = this.#file(lockId);
    let found: FileLock | undefined;
    try {
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

  #file(lockId: string): string {
    return path.join(this.#folder, lockId);
  }
}

function defaultFolder(): string {
  const base = process.env.XDG_STATE_HOME || path.join(os.homedir(), '.local/state');
  return path.join(base, 'holdfast/locks');
}
