/**
 * A bucket, or a folder of one, laid out as restic lays it out. An object is written by one request, which the server
 * holds against the SHA-256 that it is signed with, so it is there whole or not at all.
 */
import { addAbortSignal, Readable } from 'node:stream';
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type StorageClass,
} from '@aws-sdk/client-s3';
import { HoldfastError, isHoldfastError } from '#base';
import { errors } from '../../errors.ts';
import { checkName, checkPrefix } from '../file-names.ts';
import { retry } from '../retry.ts';
import type { ByteRange, FileHint, Storage, StoredFile } from '../storage.ts';
import type { FileVersions } from '../versions.ts';
import { parseS3Address } from './address.ts';
import { makeClient } from './client.ts';
import { s3Errors } from './errors.ts';
import { statusOf } from './failures.ts';
import { collect, crc32Of, md5Of, sha256Of } from './object-bytes.ts';
import { ObjectLock } from './object-lock.ts';
import type { S3Options } from './options.ts';
import { S3Requests } from './requests.ts';
import { S3Removals } from './s3-removals.ts';
import { S3Versions } from './s3-versions.ts';

const DEFAULT_CONNECTIONS = 8;

export class S3Storage implements Storage {
  readonly location: string;
  readonly concurrency: number;
  readonly isRemote = true;
  /** Half a minute and more: servers that are busy or that start again ask for patience. */
  readonly patience = { attempts: 9 };
  readonly versions: FileVersions;
  readonly #requests: S3Requests;
  readonly #objectLock: ObjectLock;
  readonly #removals: S3Removals;
  readonly #storageClass: StorageClass | undefined;
  #bucketSeen = false;

  /** Asks nothing yet. Throws `s3/address-invalid` and `s3/option-invalid`. */
  constructor(text: string, options: S3Options = {}) {
    const address = parseS3Address(text);
    this.location = address.location;
    this.concurrency = options.connections ?? DEFAULT_CONNECTIONS;
    const client = makeClient(address, options, this.concurrency);
    this.#requests = new S3Requests(address, client, this.concurrency);
    this.#objectLock = new ObjectLock(this.#requests, options.lock);
    const [requests, objectLock] = [this.#requests, this.#objectLock];
    const versions = new S3Versions(requests, objectLock);
    this.versions = versions;
    this.#removals = new S3Removals({ requests, objectLock, versions }, this.concurrency);
    // The server knows which classes it has: any name may be one.
    this.#storageClass = options.storageClass as StorageClass | undefined;
  }

  async read(name: string, range?: ByteRange): Promise<Buffer> {
    checkName(name);
    if (range?.length === 0) return this.#readNothing(name, range);
    return this.#requests.ask('reading', name, range?.length ?? 0, async (deadline) => {
      const got = await this.#get(name, range, deadline.signal);
      const found = got.ContentLength ?? 0;
      const body = addAbortSignal(deadline.signal, got.Body as Readable);
      if (range && found !== range.length) {
        body.destroy();
        throw shortRead(name, range, got.ContentRange);
      }
      deadline.restart(found);
      return collect(body, found);
    });
  }

  async write(name: string, parts: readonly Uint8Array[], hint?: FileHint): Promise<void> {
    checkName(name);
    const retention = await this.#objectLock.retentionOf(name);
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const command = new PutObjectCommand({
      ...this.#requests.keyOf(name),
      Body: bodyOf(parts),
      ContentLength: length,
      ChecksumCRC32: crc32Of(parts),
      ...(hint?.blobs === 'data' && { StorageClass: this.#storageClass }),
      // Servers want it for whatever is locked.
      ...(retention && { ...retention, ContentMD5: md5Of(parts) }),
    });
    signAs(command, sha256Of(name, parts));
    await this.#requests.ask('writing', name, length, ({ signal }) =>
      this.#requests.client.send(command, { abortSignal: signal }),
    );
  }

  async *list(prefix: string): AsyncIterable<StoredFile> {
    checkPrefix(prefix);
    let ContinuationToken: string | undefined;
    do {
      const page = await this.#listPage(prefix, ContinuationToken);
      for (const { Key = '', Size = 0 } of page.Contents ?? []) {
        // Consoles make folders by empty objects of such names.
        if (Key.endsWith('/')) continue;
        yield { name: Key.slice(this.#requests.address.prefix.length), sizeBytes: Size };
      }
      ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
  }

  async stat(name: string): Promise<StoredFile | undefined> {
    checkName(name);
    try {
      const head = await this.#requests.ask('looking at', name, 0, ({ signal }) =>
        this.#requests.client.send(new HeadObjectCommand(this.#requests.keyOf(name)), {
          abortSignal: signal,
        }),
      );
      this.#bucketSeen = true;
      return { name, sizeBytes: head.ContentLength ?? 0 };
    } catch (error) {
      const isAbsent = isHoldfastError(error, 'repository/not-in-storage');
      if (!isAbsent || !this.#bucketSeen) await this.#explain(error);
      return undefined;
    }
  }

  /** Throws `repository/still-locked` for what a lock protects. */
  async remove(name: string): Promise<void> {
    checkName(name);
    await this.#removals.remove(name);
  }

  async removeAll(names: readonly string[]): Promise<string[]> {
    names.forEach(checkName);
    return this.#removals.removeAll(names);
  }

  async serverTimeMs(): Promise<number> {
    let date: string | undefined;
    const { bucket } = this.#requests.address;
    const command = new ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1 });
    command.middlewareStack.add(
      (next) => async (args) => {
        const answer = await next(args);
        date = (answer.response as { headers: Record<string, string> }).headers.date;
        return answer;
      },
      { step: 'deserialize', name: 'serverDate' },
    );
    await this.#requests.ask('asking for the time', bucket, 0, ({ signal }) =>
      this.#requests.client.send(command, { abortSignal: signal }),
    );
    const ms = Date.parse(date ?? '');
    if (Number.isNaN(ms)) throw s3Errors.timeless([this.location]);
    return ms;
  }

  /** Ends what is under way: those calls reject. */
  async close(): Promise<void> {
    this.#requests.close();
  }

  /** Tried again by itself: the pages before have been handed out. */
  #listPage(
    prefix: string,
    ContinuationToken: string | undefined,
  ): Promise<ListObjectsV2CommandOutput> {
    const { address, client } = this.#requests;
    const command = () =>
      new ListObjectsV2Command({
        Bucket: address.bucket,
        Prefix: address.prefix + prefix,
        ContinuationToken,
      });
    const page = () =>
      this.#requests.ask('listing', prefix || '.', 0, ({ signal }) =>
        client.send(command(), { abortSignal: signal }),
      );
    return ContinuationToken === undefined ? page() : retry(page, this.patience);
  }

  async #get(
    name: string,
    range: ByteRange | undefined,
    abortSignal: AbortSignal,
  ): Promise<GetObjectCommandOutput> {
    const Range = range && `bytes=${range.offset}-${range.offset + range.length - 1}`;
    try {
      const command = new GetObjectCommand({ ...this.#requests.keyOf(name), Range });
      return await this.#requests.client.send(command, { abortSignal });
    } catch (error) {
      if (range && statusOf(error) === 416) throw shortRead(name, range);
      throw error;
    }
  }

  /** HTTP knows no empty range. */
  async #readNothing(name: string, range: ByteRange): Promise<Buffer> {
    const file = await this.stat(name);
    if (!file) throw errors.notInStorage([name, this.location]);
    if (range.offset > file.sizeBytes) throw shortRead(name, range);
    return Buffer.alloc(0);
  }

  /** An answer to HEAD has no body, so it gives no reason: a list does. Throws it, or the error itself. */
  async #explain(error: unknown): Promise<void> {
    if (error instanceof HoldfastError && error.retryable) throw error;
    await this.#requests.ask('listing', '.', 0, ({ signal }) =>
      this.#requests.client.send(
        new ListObjectsV2Command({ Bucket: this.#requests.address.bucket, MaxKeys: 1 }),
        {
          abortSignal: signal,
        },
      ),
    );
    this.#bucketSeen = true;
    if (!isHoldfastError(error, 'repository/not-in-storage')) throw error;
  }
}

function bodyOf(parts: readonly Uint8Array[]): Uint8Array | Readable {
  const [only, second] = parts;
  if (second) return Readable.from(parts, { objectMode: false });
  return only ?? new Uint8Array(0);
}

function shortRead(name: string, range: ByteRange, contentRange?: string): HoldfastError {
  const total = contentRange?.split('/')[1];
  const of = total ? ` of ${total}` : '';
  return errors.shortRead([name, `wanted ${range.length} bytes at ${range.offset}${of}`]);
}

/** The hash that the request's signature covers: the SDK would take it from a buffer, and can't from a stream. */
function signAs(command: PutObjectCommand, sha256: string): void {
  command.middlewareStack.add(
    (next) => (args) => {
      const request = args.request as { headers: Record<string, string> };
      request.headers['x-amz-content-sha256'] = sha256;
      return next(args);
    },
    { step: 'build', name: 'contentHash' },
  );
}
