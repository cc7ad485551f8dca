/**
 * A bucket, or a folder of one, laid out as restic lays it out. An object is written by one request, which the server
 * holds against the SHA-256 that it is signed with, so it is there whole or not at all.
 */
import { addAbortSignal, Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { HoldfastError, isHoldfastError } from '#base';
import { errors } from '../../errors.ts';
import { checkName, checkPrefix } from '../file-names.ts';
import type { ByteRange, Storage, StoredFile } from '../storage.ts';
import { parseS3Address, type S3Address } from './address.ts';
import { makeClient } from './client.ts';
import { s3Errors } from './errors.ts';
import { s3Failure, statusOf } from './failures.ts';
import { collect, crc32Of, sha256Of } from './object-bytes.ts';
import type { S3Options } from './options.ts';
import { RequestDeadline } from './request-deadline.ts';
import { RequestSlots } from './request-slots.ts';

const DEFAULT_CONNECTIONS = 8;

export class S3Storage implements Storage {
  readonly location: string;
  readonly concurrency: number;
  readonly isRemote = true;
  /** Half a minute and more: servers that are busy or that start again ask for patience. */
  readonly patience = { attempts: 9 };
  readonly #address: S3Address;
  readonly #client: S3Client;
  readonly #slots: RequestSlots;
  readonly #underWay = new Set<RequestDeadline>();
  #closed = false;
  #wasReached = false;
  #bucketSeen = false;

  /** Asks nothing yet. Throws `s3/address-invalid` and `s3/option-invalid`. */
  constructor(address: string, options: S3Options = {}) {
    this.#address = parseS3Address(address);
    this.location = this.#address.location;
    this.concurrency = options.connections ?? DEFAULT_CONNECTIONS;
    this.#slots = new RequestSlots(this.concurrency);
    this.#client = makeClient(this.#address, options, this.concurrency).client;
  }

  async read(name: string, range?: ByteRange): Promise<Buffer> {
    checkName(name);
    if (range?.length === 0) return this.#readNothing(name, range);
    return this.#ask('reading', name, range?.length ?? 0, async (deadline) => {
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

  async write(name: string, parts: readonly Uint8Array[]): Promise<void> {
    checkName(name);
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const command = new PutObjectCommand({
      ...this.#keyOf(name),
      Body: bodyOf(parts),
      ContentLength: length,
      ChecksumCRC32: crc32Of(parts),
    });
    signAs(command, sha256Of(name, parts));
    await this.#ask('writing', name, length, ({ signal }) =>
      this.#client.send(command, { abortSignal: signal }),
    );
  }

  async *list(prefix: string): AsyncIterable<StoredFile> {
    checkPrefix(prefix);
    let ContinuationToken: string | undefined;
    do {
      const page = await this.#ask('listing', prefix || '.', 0, ({ signal }) =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#address.bucket,
            Prefix: this.#address.prefix + prefix,
            ContinuationToken,
          }),
          { abortSignal: signal },
        ),
      );
      for (const { Key = '', Size = 0 } of page.Contents ?? []) {
        // Consoles make folders by empty objects of such names.
        if (Key.endsWith('/')) continue;
        yield { name: Key.slice(this.#address.prefix.length), sizeBytes: Size };
      }
      ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
  }

  async stat(name: string): Promise<StoredFile | undefined> {
    checkName(name);
    try {
      const head = await this.#ask('looking at', name, 0, ({ signal }) =>
        this.#client.send(new HeadObjectCommand(this.#keyOf(name)), { abortSignal: signal }),
      );
      this.#bucketSeen = true;
      return { name, sizeBytes: head.ContentLength ?? 0 };
    } catch (error) {
      const isAbsent = isHoldfastError(error, 'repository/not-in-storage');
      if (!isAbsent || !this.#bucketSeen) await this.#explain(error);
      return undefined;
    }
  }

  async remove(name: string): Promise<void> {
    checkName(name);
    await this.#ask('removing', name, 0, ({ signal }) =>
      this.#client.send(new DeleteObjectCommand(this.#keyOf(name)), { abortSignal: signal }),
    );
  }

  /** Ends what is under way: those calls reject. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const deadline of this.#underWay) deadline.abort();
    this.#client.destroy();
  }

  async #get(
    name: string,
    range: ByteRange | undefined,
    abortSignal: AbortSignal,
  ): Promise<GetObjectCommandOutput> {
    const Range = range && `bytes=${range.offset}-${range.offset + range.length - 1}`;
    try {
      const command = new GetObjectCommand({ ...this.#keyOf(name), Range });
      return await this.#client.send(command, { abortSignal });
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
    await this.#ask('listing', '.', 0, ({ signal }) =>
      this.#client.send(new ListObjectsV2Command({ Bucket: this.#address.bucket, MaxKeys: 1 }), {
        abortSignal: signal,
      }),
    );
    this.#bucketSeen = true;
    if (!isHoldfastError(error, 'repository/not-in-storage')) throw error;
  }

  async #ask<T>(
    operation: string,
    name: string,
    bytes: number,
    work: (deadline: RequestDeadline) => Promise<T>,
  ): Promise<T> {
    return this.#slots.run(async () => {
      if (this.#closed) throw s3Errors.closed([this.location]);
      const deadline = new RequestDeadline(bytes);
      this.#underWay.add(deadline);
      try {
        const answer = await work(deadline);
        this.#wasReached = true;
        return answer;
      } catch (error) {
        if (this.#closed) throw s3Errors.closed([this.location]);
        if (deadline.hasPassed) throw errors.storageTimeout([operation, name, this.location]);
        if (statusOf(error) !== undefined) this.#wasReached = true;
        const wasReached = this.#wasReached;
        throw s3Failure(error, { operation, name, address: this.#address, wasReached });
      } finally {
        deadline.clear();
        this.#underWay.delete(deadline);
      }
    });
  }

  #keyOf(name: string): { Bucket: string; Key: string } {
    return { Bucket: this.#address.bucket, Key: this.#address.prefix + name };
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
