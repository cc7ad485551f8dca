/** Keeps the snapshots of mounts from being forgotten, as long as they are mounted and this process lives. */
import { hash } from 'node:crypto';
import os from 'node:os';
import { systemClock } from '#base';
import { endLease, leaseSnapshot, type Repository } from '#repository';

const LEASE_MS = 60 * 60_000;
const RENEW_MS = LEASE_MS / 4;

export class MountLeases {
  readonly #repository: Pick<Repository, 'sealed'>;
  /** By mount point. */
  readonly #held = new Map<string, { snapshot: string; onFailure: (error: unknown) => void }>();
  readonly #timer: NodeJS.Timeout;

  constructor(repository: Pick<Repository, 'sealed'>) {
    this.#repository = repository;
    this.#timer = setInterval(() => void this.#renew(), RENEW_MS).unref();
  }

  /** Never rejects: who may only read a repository may mount it, too. */
  async take(
    mountPoint: string,
    snapshot: string,
    onFailure: (error: unknown) => void,
  ): Promise<void> {
    this.#held.set(mountPoint, { snapshot, onFailure });
    await this.#lease(mountPoint);
  }

  /** Never rejects: a lease that can't be taken back ends by itself. */
  async end(mountPoint: string): Promise<void> {
    const held = this.#held.get(mountPoint);
    if (!held) return;
    this.#held.delete(mountPoint);
    await endLease(this.#repository, held.snapshot, readerOf(mountPoint)).catch(held.onFailure);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #renew(): Promise<void> {
    for (const mountPoint of this.#held.keys()) await this.#lease(mountPoint);
  }

  async #lease(mountPoint: string): Promise<void> {
    const held = this.#held.get(mountPoint);
    if (!held) return;
    const { snapshot, onFailure } = held;
    const untilMs = systemClock.nowMs() + LEASE_MS;
    const by = `mounted on ${os.hostname()} at ${mountPoint}`;
    const reader = readerOf(mountPoint);
    await leaseSnapshot(this.#repository, snapshot, reader, { untilMs, by }).catch(onFailure);
  }
}

function readerOf(mountPoint: string): string {
  return hash('sha256', `${os.hostname()} ${mountPoint}`).slice(0, 16);
}
