/** Versions of objects and their locks, as S3 keeps them. */
import type { Readable } from 'node:stream';
import { addAbortSignal } from 'node:stream';
import {
  CopyObjectCommand,
  type DeleteMarkerEntry,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type ObjectVersion,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3';
import { checkName, checkPrefix } from '../file-names.ts';
import type { FileLock, FileVersion, FileVersions } from '../versions.ts';
import { collect } from './object-bytes.ts';
import type { ObjectLock } from './object-lock.ts';
import type { S3Requests } from './requests.ts';

export class S3Versions implements FileVersions {
  readonly #requests: S3Requests;
  readonly #objectLock: ObjectLock;

  constructor(requests: S3Requests, objectLock: ObjectLock) {
    this.#requests = requests;
    this.#objectLock = objectLock;
  }

  lock(): Promise<FileLock | undefined> {
    return this.#objectLock.current();
  }

  async *list(prefix: string): AsyncIterable<FileVersion> {
    checkPrefix(prefix);
    const { address, client } = this.#requests;
    let at: { KeyMarker?: string; VersionIdMarker?: string } | undefined = {};
    while (at) {
      const command: ListObjectVersionsCommand = new ListObjectVersionsCommand({
        Bucket: address.bucket,
        Prefix: address.prefix + prefix,
        ...at,
      });
      const page: ListObjectVersionsCommandOutput = await this.#requests.ask(
        'listing versions of',
        prefix || '.',
        0,
        ({ signal }) => client.send(command, { abortSignal: signal }),
      );
      yield* versionsIn(page, address.prefix.length);
      at = page.IsTruncated
        ? {
            ...(page.NextKeyMarker !== undefined && { KeyMarker: page.NextKeyMarker }),
            ...(page.NextVersionIdMarker && { VersionIdMarker: page.NextVersionIdMarker }),
          }
        : undefined;
    }
  }

  read({ name, versionId, sizeBytes }: FileVersion): Promise<Buffer> {
    checkName(name);
    const { client } = this.#requests;
    return this.#requests.ask('reading', name, sizeBytes, async (deadline) => {
      const command = new GetObjectCommand({
        ...this.#requests.keyOf(name),
        VersionId: versionId,
      });
      const got = await client.send(command, { abortSignal: deadline.signal });
      const body = addAbortSignal(deadline.signal, got.Body as Readable);
      return collect(body, got.ContentLength ?? 0);
    });
  }

  async makeCurrent({ name, versionId, sizeBytes }: FileVersion): Promise<void> {
    checkName(name);
    const { client } = this.#requests;
    const key = this.#requests.keyOf(name);
    const path = `${key.Bucket}/${key.Key}`.split('/').map(encodeURIComponent).join('/');
    const command = new CopyObjectCommand({
      ...key,
      CopySource: `${path}?versionId=${encodeURIComponent(versionId)}`,
      ...(await this.#objectLock.retentionOf(name)),
    });
    await this.#requests.ask('bringing back', name, sizeBytes, ({ signal }) =>
      client.send(command, { abortSignal: signal }),
    );
  }

  async lockedUntilMs(file: { name: string; versionId?: string }): Promise<number | undefined> {
    checkName(file.name);
    const command = new HeadObjectCommand({
      ...this.#requests.keyOf(file.name),
      VersionId: file.versionId,
    });
    const { ObjectLockRetainUntilDate } = await this.#requests.ask(
      'asking for the lock of',
      file.name,
      0,
      ({ signal }) => this.#requests.client.send(command, { abortSignal: signal }),
    );
    return ObjectLockRetainUntilDate?.getTime();
  }

  async extendLock(
    file: { name: string; versionId: string },
    mode: FileLock['mode'],
    untilMs: number,
  ): Promise<void> {
    checkName(file.name);
    const command = new PutObjectRetentionCommand({
      ...this.#requests.keyOf(file.name),
      VersionId: file.versionId,
      Retention: {
        Mode: mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE',
        RetainUntilDate: new Date(untilMs),
      },
    });
    await this.#requests.ask('extending the lock of', file.name, 0, ({ signal }) =>
      this.#requests.client.send(command, { abortSignal: signal }),
    );
  }
}

/** Content and removals come in two lists: joined, in the order of their names, the newest first. */
function versionsIn(page: ListObjectVersionsCommandOutput, prefixLength: number): FileVersion[] {
  const found = [
    ...(page.Versions ?? []).map((entry) => ({
      ...versionOf(entry, prefixLength),
      sizeBytes: entry.Size ?? 0,
      isRemoval: false,
      contentTag: entry.ETag ?? '',
    })),
    ...(page.DeleteMarkers ?? []).map((entry) => ({
      ...versionOf(entry, prefixLength),
      sizeBytes: 0,
      isRemoval: true,
      contentTag: '',
    })),
  ];
  // Consoles make folders by empty objects of such names.
  return found
    .filter(({ name }) => name !== '' && !name.endsWith('/'))
    .sort(
      (a, b) =>
        byName(a, b) || Number(b.isCurrent) - Number(a.isCurrent) || b.writtenMs - a.writtenMs,
    );
}

function versionOf(entry: ObjectVersion | DeleteMarkerEntry, prefixLength: number) {
  return {
    name: (entry.Key ?? '').slice(prefixLength),
    versionId: entry.VersionId ?? '',
    writtenMs: entry.LastModified?.getTime() ?? 0,
    isCurrent: entry.IsLatest ?? false,
  };
}

function byName(a: FileVersion, b: FileVersion): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}
