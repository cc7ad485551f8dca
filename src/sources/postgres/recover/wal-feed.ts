import fs, { type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { isReachable, sleepMs, writeWhole } from '#base';
import type { JournalAccess } from '../../source.ts';
import { errors } from '../errors.ts';
import { formatLsn, historyFileName, segmentStart } from '../lsn.ts';
import { WalDecoder } from '../wal/decode.ts';
import { OneReading } from './one-reading.ts';
import type { OsUser } from './os-user.ts';
import { COMPLETE, FAILED, restoreCommand, restoreScript, TAKEN } from './restore-script.ts';
import { keepTablespaceInside } from './tablespace-record.ts';
import type { PlannedSegment, SegmentPiece, WalPlan } from './wal-plan.ts';

/** Written segments that may wait for the server: enough to keep it busy, little enough to bound the disk. */
const AHEAD_BYTES = 256 * 2 ** 20;
const POLL_MS = 10;
/** Taken segments that the server may be about to name in its own folder, or still reads. */
const LATEST_TAKEN = 3;

export type WalFeedRequest = {
  plan: WalPlan;
  journal: Pick<JournalAccess, 'read'> | undefined;
  segmentSizeBytes: number;
  /** WAL files of the base, moved out of the server's way. */
  baseFolder: string;
  /** Segments are handed to the server here, and stay here while it needs them. */
  folder: string;
  /** The server's own folder of WAL. */
  serverFolder: string;
  user: OsUser;
  signal: AbortSignal;
  /** Aborted when the server has ended its recovery: it will take nothing more. */
  ended: AbortSignal;
  /** Bytes written so far. */
  onProgress: (doneBytes: number) => void;
};

/**
 * Makes the folder and the script that the server calls as its `restore_command`. It is given links, because the server's
 * folder may be mounted: not a byte of WAL then passes through the mount. Postgres removes such links and never uses them
 * again for other segments (xlog.c, RemoveXlogFile); `dropWal` takes away what it leaves. Where the feed has failed
 * or died the script answers with a status that makes Postgres give up instead of taking the gap for the end.
 */
export async function prepareFeed(request: WalFeedRequest): Promise<{ restoreCommand: string }> {
  const { folder, plan, user } = request;
  await fs.rm(folder, { recursive: true, force: true });
  await fs.mkdir(folder, { mode: 0o700 });
  await fs.chown(folder, user.uid, user.gid);
  await fs.mkdir(path.join(folder, TAKEN), { mode: 0o700 });
  await fs.chown(path.join(folder, TAKEN), user.uid, user.gid);
  for (const { line, raw } of plan.histories) {
    if (line > 1) await give(path.join(folder, historyFileName(line)), raw, user);
  }
  const script = path.join(folder, 'restore-wal');
  await give(script, restoreScript(folder, process.pid, plan), user);
  return { restoreCommand: restoreCommand(script) };
}

/**
 * Writes the segments of the plan, in order, no further ahead than the server has taken them. Resolves to the end of
 * the last whole record: there the server's recovery must end. Checksums of records are the server's to check.
 * @throws postgres/journal-broken where the WAL ends before the plan does, and the reason of `ended`
 */
export async function feedWal(request: WalFeedRequest): Promise<bigint> {
  const marker = (name: string) => give(path.join(request.folder, name), '', request.user);
  const journal = request.journal && new OneReading(request.journal, request.plan);
  try {
    const end = await new WalFeed({ ...request, journal }).run();
    await marker(COMPLETE);
    return end;
  } catch (error) {
    await marker(FAILED);
    throw error;
  } finally {
    await journal?.close();
  }
}

/** Segments of the plan from `first` on, up to `end`, as they were written by production; what is behind is zeros. */
export async function writeSegments(
  request: Pick<
    WalFeedRequest,
    'plan' | 'journal' | 'segmentSizeBytes' | 'baseFolder' | 'folder' | 'signal'
  >,
  first: bigint,
  end: bigint,
): Promise<void> {
  const { plan, folder, segmentSizeBytes, signal } = request;
  for (const segment of plan.segments) {
    if (segment.start < first || segment.start >= end) continue;
    const handle = await fs.open(path.join(folder, segment.name), 'w', 0o600);
    try {
      for await (const { bytes, at } of piecesOf(segment, request)) {
        signal.throwIfAborted();
        await writeWhole(handle, bytes, at);
      }
      await handle.truncate(segmentSizeBytes);
    } finally {
      await handle.close();
    }
  }
}

type WalPlaces = Pick<WalFeedRequest, 'journal' | 'segmentSizeBytes' | 'baseFolder'>;

/** `at`: where in the segment. */
async function* piecesOf(
  segment: PlannedSegment,
  places: WalPlaces,
): AsyncGenerator<{ bytes: Buffer; at: number }> {
  for (const piece of segment.pieces) {
    let at = Number(piece.start - segment.start);
    for await (const bytes of bytesOf(piece, places)) {
      yield { bytes, at };
      at += bytes.length;
    }
  }
}

function bytesOf(piece: SegmentPiece, places: WalPlaces): AsyncIterable<Buffer> {
  const { journal, segmentSizeBytes, baseFolder } = places;
  if (piece.from.kind === 'journal') {
    if (!journal) throw new Error('a plan without a journal asks for none');
    return journal.read(piece.from.line, piece.start, piece.end);
  }
  const begin = segmentStart(piece.start, segmentSizeBytes);
  const file = path.join(baseFolder, piece.from.file);
  return readSpan(file, Number(piece.start - begin), Number(piece.end - begin));
}

class WalFeed {
  readonly #request: WalFeedRequest;
  readonly #decoder: WalDecoder;
  /** Records to rewrite that are whole by now. */
  #tablespaces: bigint[] = [];
  /** Written, and held back by one, because a record may end in the next. */
  #held: { segment: PlannedSegment; file: string } | undefined;
  /** Names of segments that the server may not have taken yet. */
  readonly #handed: string[] = [];
  #doneBytes = 0;

  constructor(request: WalFeedRequest) {
    this.#request = request;
    const first = request.plan.segments[0]?.start ?? 0n;
    this.#decoder = new WalDecoder(first, {
      onEvent: () => {},
      onTablespace: (start) => this.#tablespaces.push(start),
      segmentSizeBytes: request.segmentSizeBytes,
      checksums: false,
    });
  }

  async run(): Promise<bigint> {
    for (const segment of this.#request.plan.segments) {
      await this.#room();
      const file = await this.#write(segment);
      await this.#rewriteTablespaces(segment, file);
      await this.#hand();
      this.#held = { segment, file };
    }
    await this.#hand();
    const { end, line = 0, recordEnd } = this.#decoder;
    if (end) throw errors.journalBroken([formatLsn(end.at), line, end.because]);
    return recordEnd ?? this.#request.plan.end.offset;
  }

  async #write(segment: PlannedSegment): Promise<string> {
    const file = path.join(this.#request.folder, `${segment.name}.partial`);
    const handle = await fs.open(file, 'w', 0o600);
    try {
      for await (const { bytes, at } of piecesOf(segment, this.#request)) {
        this.#request.signal.throwIfAborted();
        await writeWhole(handle, bytes, at);
        this.#decoder.push(bytes);
        this.#doneBytes += bytes.length;
        this.#request.onProgress(this.#doneBytes);
      }
      await handle.truncate(this.#request.segmentSizeBytes);
      await handle.chown(this.#request.user.uid, this.#request.user.gid);
    } finally {
      await handle.close();
    }
    return file;
  }

  async #rewriteTablespaces(segment: PlannedSegment, file: string): Promise<void> {
    if (this.#tablespaces.length === 0) return;
    const open = new Map<string, FileHandle>();
    const fileAt = async (lsn: bigint): Promise<FileHandle> => {
      const name = lsn < segment.start && this.#held ? this.#held.file : file;
      const handle = open.get(name) ?? (await fs.open(name, 'r+'));
      open.set(name, handle);
      return handle;
    };
    const { segmentSizeBytes } = this.#request;
    try {
      for (const start of this.#tablespaces) {
        await keepTablespaceInside({ segmentSizeBytes, fileAt }, start);
      }
      this.#tablespaces = [];
    } finally {
      for (const handle of open.values()) await handle.close();
    }
  }

  async #hand(): Promise<void> {
    if (!this.#held) return;
    const target = path.join(this.#request.folder, this.#held.segment.name);
    await fs.rename(this.#held.file, target);
    this.#handed.push(this.#held.segment.name);
    this.#held = undefined;
  }

  /** Waits until the server has taken enough of what was handed over. */
  async #room(): Promise<void> {
    const most = Math.max(2, Math.floor(AHEAD_BYTES / this.#request.segmentSizeBytes));
    while (this.#handed.length >= most) {
      const oldest = this.#handed[0] as string;
      if (await isReachable(path.join(this.#request.folder, TAKEN, oldest))) this.#handed.shift();
      else if (this.#request.ended.aborted) throw this.#request.ended.reason;
      else await sleepMs(POLL_MS, this.#request.signal);
    }
    await this.#removeUnneeded();
  }

  /** What the server has removed its link of, at a restartpoint, it won't read again. */
  async #removeUnneeded(): Promise<void> {
    const { folder, serverFolder } = this.#request;
    const taken = (await fs.readdir(path.join(folder, TAKEN))).sort();
    if (taken.length <= LATEST_TAKEN) return;
    const linked = new Set(await fs.readdir(serverFolder));
    for (const name of taken.slice(0, -LATEST_TAKEN)) {
      if (linked.has(name)) continue;
      await fs.rm(path.join(folder, name));
      await fs.rm(path.join(folder, TAKEN, name));
    }
  }
}

async function* readSpan(file: string, from: number, to: number): AsyncGenerator<Buffer> {
  const handle = await fs.open(file, 'r');
  try {
    yield* handle.createReadStream({ start: from, end: to - 1, autoClose: false });
  } finally {
    await handle.close();
  }
}

async function give(file: string, text: string, user: OsUser, mode = 0o600): Promise<void> {
  await fs.writeFile(file, text, { mode });
  await fs.chown(file, user.uid, user.gid);
}
