import { type FileMetadata, madeMetadata, systemClock } from '#base';
import type { CaptureEvent } from '../../source.ts';
import { bytesOf } from '../latin1.ts';
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
    path: bytesOf(path),
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
  const metadata = ownedMetadata('file', 0o600, owner);
  metadata.sizeBytes = BigInt(parts.reduce((sum, part) => sum + part.length, 0));
  return fileEvent(path, metadata, streamOf(parts), chunkSizeBytes);
}

export async function* streamOf(parts: Buffer[]): AsyncGenerator<Buffer> {
  yield* parts;
}

export function directory(path: string, owner: Owner): CaptureEvent {
  return {
    kind: 'entry',
    path: bytesOf(path),
    metadata: ownedMetadata('dir', 0o700, owner),
    content: { from: 'nothing' },
  };
}

export function metadataOf(entry: Omit<TarEntry, 'path'>): FileMetadata {
  const mtimeNs = BigInt(entry.mtimeSeconds) * 1_000_000_000n;
  return {
    ...ownedMetadata(entry.kind, entry.permissions, entry),
    mtimeNs,
    atimeNs: mtimeNs,
    ctimeNs: mtimeNs,
    sizeBytes: BigInt(entry.sizeBytes),
    ...(entry.kind === 'symlink' ? { linkTarget: entry.linkTarget } : {}),
  };
}

/** For what the archive doesn't hold as an entry: only the server's user may read it. */
function ownedMetadata(
  kind: FileMetadata['kind'],
  permissions: number,
  { uid, gid }: Owner,
): FileMetadata {
  const nowNs = BigInt(systemClock.nowMs()) * 1_000_000n;
  return { ...madeMetadata(kind, permissions, nowNs), uid, gid };
}
