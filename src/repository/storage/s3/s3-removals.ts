/** Objects taken out of a bucket, but for what a lock protects. */
import { DeleteObjectCommand, DeleteObjectsCommand } from '@aws-sdk/client-s3';
import { isHoldfastError, systemClock } from '#base';
import { errors } from '../../errors.ts';
import { inLanes } from '../../in-lanes.ts';
import type { FileVersions } from '../versions.ts';
import type { ObjectLock } from './object-lock.ts';
import type { S3Requests } from './requests.ts';

/** S3's own limit for one request. */
const REMOVALS_AT_ONCE = 1_000;

/** Not records, nor their copies. */
const STAYS_WHILE_LOCKED =
  /^(data|index|snapshots|holdfast\/(parity|copies\/(keys|index|snapshots)))\//;

type Bucket = { requests: S3Requests; objectLock: ObjectLock; versions: FileVersions };

export class S3Removals {
  readonly #requests: S3Requests;
  readonly #objectLock: ObjectLock;
  readonly #versions: FileVersions;
  readonly #concurrency: number;

  constructor({ requests, objectLock, versions }: Bucket, concurrency: number) {
    this.#requests = requests;
    this.#objectLock = objectLock;
    this.#versions = versions;
    this.#concurrency = concurrency;
  }

  /** Throws `repository/still-locked` for what a lock protects. */
  async remove(name: string): Promise<void> {
    const untilMs = await this.#lockedUntilMs(name);
    if (untilMs !== undefined) {
      const { location } = this.#requests.address;
      throw errors.stillLocked([name, location, new Date(untilMs).toISOString()]);
    }
    await this.#removeOne(name);
  }

  /** Resolves to the names of what a lock protects. */
  async removeAll(names: readonly string[]): Promise<string[]> {
    const locked: string[] = [];
    const free: string[] = [];
    await inLanes(names, this.#concurrency, async (name) => {
      const isLocked = (await this.#lockedUntilMs(name)) !== undefined;
      (isLocked ? locked : free).push(name);
    });
    for (let at = 0; at < free.length; at += REMOVALS_AT_ONCE) {
      await this.#removeSome(free.slice(at, at + REMOVALS_AT_ONCE));
    }
    return locked;
  }

  /**
   * To remove what is locked would only hide it, and hidden things look like an attack. What may rightly be replaced by
   * something newer is hidden all the same: its old version stays until its lock ends.
   */
  async #lockedUntilMs(name: string): Promise<number | undefined> {
    if (!STAYS_WHILE_LOCKED.test(name) || !(await this.#objectLock.current())) return undefined;
    const untilMs = await this.#versions.lockedUntilMs({ name }).catch((error: unknown) => {
      if (isHoldfastError(error, 'repository/not-in-storage')) return undefined;
      throw error;
    });
    return untilMs !== undefined && untilMs > systemClock.nowMs() ? untilMs : undefined;
  }

  async #removeOne(name: string): Promise<void> {
    await this.#requests.ask('removing', name, 0, ({ signal }) =>
      this.#requests.client.send(new DeleteObjectCommand(this.#requests.keyOf(name)), {
        abortSignal: signal,
      }),
    );
  }

  /** Ceph judges a request for many by the rights in the whole bucket: who has them in a folder alone asks for each. */
  async #removeSome(names: readonly string[]): Promise<void> {
    try {
      await this.#removeTogether(names);
    } catch (error) {
      if (!isHoldfastError(error, 's3/denied')) throw error;
      await inLanes(names, this.#concurrency, (name) => this.#removeOne(name));
    }
  }

  async #removeTogether(names: readonly string[]): Promise<void> {
    const keys = names.map((name) => this.#requests.keyOf(name));
    const command = new DeleteObjectsCommand({
      Bucket: this.#requests.address.bucket,
      Delete: { Objects: keys.map(({ Key }) => ({ Key })), Quiet: true },
    });
    const what = `${names[0]} and ${names.length - 1} more`;
    await this.#requests.ask('removing', what, 0, async ({ signal }) => {
      const { Errors } = await this.#requests.client.send(command, { abortSignal: signal });
      const failed = Errors?.find(({ Code }) => Code !== 'NoSuchKey');
      if (failed)
        throw Object.assign(new Error(failed.Message), {
          Code: failed.Code,
          $metadata: { httpStatusCode: 400 },
        });
    });
  }
}
