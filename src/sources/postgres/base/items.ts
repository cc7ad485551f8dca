import { isHoldfastError, messageOf } from '#base';
import { type ReplicationStream, sqlState } from '../connection/index.ts';
import { errors } from '../errors.ts';
import { BackupReader, type Tablespace, type WalPosition } from './archives.ts';
import type { ContentWindow } from './content-window.ts';
import { type TarEntry, type TarPart, TarReader } from './tar.ts';

/** A base backup unpacked: what BASE_BACKUP sends, in its order, as values. */
export type BackupItem =
  | { kind: 'start'; at: WalPosition }
  | { kind: 'tablespaces'; tablespaces: Tablespace[] }
  /** Undefined: the data directory itself. */
  | { kind: 'archive'; tablespace: string | undefined }
  | { kind: 'entry'; entry: TarEntry }
  /** Taken from the window: whole windows, but for the last of an entry. */
  | { kind: 'content'; bytes: Buffer }
  | { kind: 'entry-ends' }
  | { kind: 'manifest'; bytes: Buffer }
  | { kind: 'end'; at: WalPosition }
  /** After the end: the server, too, found pages with wrong checksums, reading each twice. */
  | { kind: 'damage-confirmed' };

/** SQLSTATE data_corrupted: with it the server ends a backup that came whole, but with damaged pages in it. */
const DATA_CORRUPTED = 'XX001';

/** Unpacks the answer to BASE_BACKUP. Pulls no faster than it is asked; bytes hold until the next item is asked for. */
export async function* backupItems(
  stream: ReplicationStream,
  serverVersion: number,
  window: ContentWindow,
): AsyncGenerator<BackupItem> {
  let hasEnded = false;
  try {
    for await (const item of unpack(stream, serverVersion, window)) {
      hasEnded ||= item.kind === 'end';
      yield item;
    }
  } catch (error) {
    if (!isHoldfastError(error, 'postgres/command-failed')) throw error;
    const { cause } = error;
    const isDamage = hasEnded && sqlState(cause) === DATA_CORRUPTED;
    // In the server's own words: a standby that was promoted meanwhile, WAL that was removed, …
    if (!isDamage) throw errors.backupRefused([messageOf(cause)], { cause });
    yield { kind: 'damage-confirmed' };
  }
}

async function* unpack(
  stream: ReplicationStream,
  serverVersion: number,
  window: ContentWindow,
): AsyncGenerator<BackupItem> {
  const reader = new BackupReader(serverVersion);
  let tar: TarReader | undefined;
  let inManifest = false;
  for await (const batch of stream.batches()) {
    for (const message of batch) {
      for (const part of reader.read(message)) {
        if (part.kind === 'bytes') {
          if (inManifest) yield { kind: 'manifest', bytes: part.bytes };
          // Nearly all of it comes this way.
          else if (tar?.takesAsContent(part.bytes)) yield* windowfuls(part.bytes, window);
          else if (tar) yield* gathered(tar.read(part.bytes), window);
          else throw errors.protocolBroken(['bytes before the first archive']);
          continue;
        }
        if (tar && !tar.isBetweenEntries) throw errors.protocolBroken(['an archive is cut short']);
        inManifest = part.kind === 'manifest';
        tar = part.kind === 'archive' ? new TarReader() : undefined;
        if (part.kind !== 'manifest') yield part;
      }
    }
  }
}

/** Gathers the slices of content, which are as long as the network made them. */
function* gathered(parts: Iterable<TarPart>, window: ContentWindow): Generator<TarPart> {
  for (const part of parts) {
    if (part.kind === 'content') {
      yield* windowfuls(part.bytes, window);
      continue;
    }
    if (!window.isEmpty) yield { kind: 'content', bytes: window.take() };
    yield part;
  }
}

function* windowfuls(content: Buffer, window: ContentWindow): Generator<BackupItem & TarPart> {
  for (let at = 0; at < content.length; ) {
    at += window.add(content, at);
    if (window.isFull) yield { kind: 'content', bytes: window.take() };
  }
}
