/** Which lock new objects get: the one that was asked for, else the bucket's own rule, which then holds for every client. */
import {
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  type ObjectLockMode,
} from '@aws-sdk/client-s3';
import { HoldfastError, systemClock } from '#base';
import { type FileLock, lockedForMs } from '../versions.ts';
import { s3Errors } from './errors.ts';
import type { S3Requests } from './requests.ts';

/** Where the bucket's rule would lock what shouldn't be: for no longer than clocks may differ. */
const SHORTEST_MS = 20 * 60_000;

export type Retention = {
  ObjectLockMode: ObjectLockMode;
  ObjectLockRetainUntilDate: Date;
};

export class ObjectLock {
  readonly #requests: S3Requests;
  readonly #asked: FileLock | undefined;
  #known: Promise<{ lock: FileLock | undefined; byRule: boolean }> | undefined;

  constructor(requests: S3Requests, asked: FileLock | undefined) {
    this.#requests = requests;
    this.#asked = asked;
  }

  /** Asks once. Throws `s3/versioning-off` and `s3/lock-off` where a lock was asked for that the bucket can't give. */
  async current(): Promise<FileLock | undefined> {
    return (await this.#find()).lock;
  }

  /** Undefined where the object gets none by us. */
  async retentionOf(name: string): Promise<Retention | undefined> {
    const { lock, byRule } = await this.#find();
    if (!lock) return undefined;
    const forMs = lockedForMs(lock, name);
    if (forMs === 0 && !byRule) return undefined;
    return {
      ObjectLockMode: forMs > 0 && lock.mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE',
      ObjectLockRetainUntilDate: new Date(systemClock.nowMs() + Math.max(forMs, SHORTEST_MS)),
    };
  }

  #find() {
    this.#known ??= this.#ask().catch((error: unknown) => {
      this.#known = undefined;
      throw error;
    });
    return this.#known;
  }

  async #ask() {
    const rule = await this.#bucketRule();
    if (!this.#asked) return { lock: rule?.lock, byRule: rule?.lock !== undefined };
    await this.#refuseWithoutVersions();
    const { bucket, endpoint } = this.#requests.address;
    if (!rule) throw s3Errors.lockOff([bucket, endpointWords(this.#requests), endpoint]);
    return { lock: this.#asked, byRule: rule.lock !== undefined };
  }

  /** Undefined where the bucket has no Object Lock; without `lock` where it has no rule for new objects. */
  async #bucketRule(): Promise<{ lock?: FileLock } | undefined> {
    const { bucket } = this.#requests.address;
    try {
      const { ObjectLockConfiguration } = await this.#requests.ask(
        'asking for the locks of',
        bucket,
        0,
        ({ signal }) =>
          this.#requests.client.send(new GetObjectLockConfigurationCommand({ Bucket: bucket }), {
            abortSignal: signal,
          }),
      );
      if (ObjectLockConfiguration?.ObjectLockEnabled !== 'Enabled') return undefined;
      const { Mode, Days, Years } = ObjectLockConfiguration.Rule?.DefaultRetention ?? {};
      const days = Days ?? (Years ?? 0) * 365;
      if (!Mode || days === 0) return {};
      return { lock: { mode: Mode === 'COMPLIANCE' ? 'compliance' : 'governance', days } };
    } catch (error) {
      if (!this.#meansNoLock(error)) throw error;
      return undefined;
    }
  }

  /** The bucket has none, the server knows none, or we may not ask: then the bucket's rule acts without us. */
  #meansNoLock(error: unknown): boolean {
    if (!(error instanceof HoldfastError) || error.retryable) return false;
    if (error.code === 's3/denied') return !this.#asked;
    return error.code === 's3/rejected' || error.code === 'repository/storage-failed';
  }

  async #refuseWithoutVersions(): Promise<void> {
    const { bucket, endpoint } = this.#requests.address;
    const { Status } = await this.#requests.ask(
      'asking for the versions of',
      bucket,
      0,
      ({ signal }) =>
        this.#requests.client.send(new GetBucketVersioningCommand({ Bucket: bucket }), {
          abortSignal: signal,
        }),
    );
    if (Status !== 'Enabled') {
      throw s3Errors.versioningOff([bucket, endpointWords(this.#requests), endpoint]);
    }
  }
}

/** What the `aws` command needs to reach the same server. */
export function endpointWords({ address }: S3Requests): string {
  return address.isAws ? '' : ` --endpoint-url ${address.endpoint}`;
}
