import { type FileMetadata, systemClock } from '#base';
import type { CaptureEvent } from '../../source.ts';
import type { TarEntry } from './tar.ts';

/** Whom entries belong to that the server didn't make. */
export type Owner = { uid: number; gid: number };

export function fileEvent(
  path: string,
  metadata: FileMetadata,
  bytes: AsyncIterable<Buffer>,
  chunkSizeBytes: number,
): CaptureEvent {
  return {
    kind: 'entry',
    path: Buffer.from(path, 'latin1'),
    metadata,
    content: { from: 'stream', bytes, chunkSizeBytes },
  };
}

/** One that is made here, of these bytes. */
export function madeFile(
  path: string,
  parts: Buffer[],
  owner: Owner,
  chunkSizeBytes: number,
): CaptureEvent {
  const metadata = madeMetadata('file', 0o600, owner);
  metadata.sizeBytes = BigInt(parts.reduce((sum, part) => sum + part.length, 0));
  return fileEvent(path, metadata, streamOf(parts), chunkSizeBytes);
}

async function* streamOf(parts: Buffer[]): AsyncGenerator<Buffer> {
  yield* parts;
}

export function directory(path: string, owner: Owner): CaptureEvent {
  return {
    kind: 'entry',
    path: Buffer.from(path, 'latin1'),
    metadata: madeMetadata('dir', 0o700, owner),
    content: { from: 'nothing' },
  };
}

export function metadataOf(entry: Omit<TarEntry, 'path'>): FileMetadata {
  const mtimeNs = BigInt(entry.mtimeSeconds) * 1_000_000_000n;
  return {
    ...madeMetadata(entry.kind, entry.permissions, entry),
    mtimeNs,
    atimeNs: mtimeNs,
    ctimeNs: mtimeNs,
    sizeBytes: BigInt(entry.sizeBytes),
    ...(entry.kind === 'symlink' ? { linkTarget: entry.linkTarget } : {}),
  };
}

/** For what the archive doesn't hold as an entry: only the server's user may read it. */
function madeMetadata(kind: FileMetadata['kind'], permissions: number, owner: Owner): FileMetadata {
  const nowNs = BigInt(systemClock.nowMs()) * 1_000_000n;
  return {
    kind,
    permissions,
    mtimeNs: nowNs,
    atimeNs: nowNs,
    ctimeNs: nowNs,
    uid: owner.uid,
    gid: owner.gid,
    user: '',
    group: '',
    inode: 0n,
    deviceId: 0n,
    links: 1n,
    sizeBytes: 0n,
    xattrs: [],
  };
}
