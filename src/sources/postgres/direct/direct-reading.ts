/**
 * A base read from the data files themselves, on the server's own host: the server is only told when reading begins and
 * ends. What comes of it is what BASE_BACKUP would have sent (PostgreSQL: basebackup.c), in blocks that are cut alike.
 */
import fs from 'node:fs';
import { readdir } from 'node:fs/promises';
import { systemClock } from '#base';
import type { CaptureEvent, EntryContent } from '../../source.ts';
import { ConfigEvents } from '../base/config-events.ts';
import type { BackupEventOptions, FinishedBackup } from '../base/events.ts';
import { GivenFolders } from '../base/given-folders.ts';
import {
  directory,
  fileEvent,
  madeFile,
  metadataOf,
  type Owner,
  streamOf,
} from '../base/made-entries.ts';
import { neededSegments, requireSegments } from '../base/needed-wal.ts';
import { firstBlockOf, pageFinding } from '../base/page-check.ts';
import type { BaseReading } from '../base/stream-reading.ts';
import type { ConnectionSettings } from '../connection/index.ts';
import { errors } from '../errors.ts';
import { bytesOf, latin1Of } from '../latin1.ts';
import { BackupSession, type StoppedBackup } from './backup-session.ts';
import { controlFileOf, readControl } from './control-bytes.ts';
import { type DataEntry, type DataTablespace, dataEntries, tablespacesOf } from './data-files.ts';
import { ManifestText } from './manifest-text.ts';
import { Outstanding } from './outstanding.ts';
import type { PageSettings } from './page-reading.ts';
import type { DataDirectoryHere } from './server-here.ts';

export type DirectReadingParts = {
  here: DataDirectoryHere;
  options: BackupEventOptions;
  settings: ConnectionSettings;
  label: string;
  checkpoint: 'fast' | 'spread';
  server: { majorVersion: number; systemIdentifier: string };
  signal: AbortSignal;
};

type LiveContent = Extract<EntryContent, { from: 'live' }>;

/** Loaded by whatever threads read. */
const PAGE_READING = import.meta.resolve('./page-reading.ts');
const WAL_FOLDER = 'pg_wal';
const TABLESPACE_FOLDER = 'pg_tblspc';
const HISTORY_FILE = /^[0-9A-F]{8}\.history$/;

export class DirectReading implements BaseReading {
  readonly #parts: DirectReadingParts;
  /** Of the data directory, as latin1 text. */
  readonly #directory: string;
  readonly #folders = new GivenFolders();
  readonly #config: ConfigEvents;
  readonly #manifest: ManifestText;
  readonly #outstanding = new Outstanding();
  readonly #problems: CaptureEvent[] = [];
  readonly #walRead = new Set<string>();
  #tablespaces: readonly DataTablespace[] = [];
  #owner: Owner = { uid: 0, gid: 0 };
  #startLsn = 0n;
  #finished: FinishedBackup | undefined;
  #session: BackupSession | undefined;
  readonly #onAbort = () => {
    // What it breaks off is told by whatever ran on it.
    this.close().catch(() => {});
  };

  constructor(parts: DirectReadingParts) {
    const { here, options, server } = parts;
    this.#parts = parts;
    this.#directory = latin1Of(here.directory);
    this.#config = new ConfigEvents(options.configFiles, this.#folders, options.chunkSizeBytes);
    this.#manifest = new ManifestText(server);
  }

  async *events(): AsyncGenerator<CaptureEvent> {
    const { settings, label, checkpoint, signal } = this.#parts;
    const session = await BackupSession.open(settings);
    this.#session = session;
    signal.addEventListener('abort', this.#onAbort);
    try {
      signal.throwIfAborted();
      this.#startLsn = await session.start(label, checkpoint === 'fast');
      yield* this.#data();
      const stopped = await session.stop();
      this.#finished = this.#finishedBy(stopped);
      yield* this.#wal(this.#finished);
      yield* this.#made(stopped, this.#finished);
    } catch (error) {
      // A session that was closed because of it fails in its own words.
      signal.throwIfAborted();
      throw error;
    } finally {
      await this.close();
    }
  }

  /** After the events are exhausted. @throws postgres/wal-missing, postgres/protocol-broken */
  finished(): FinishedBackup {
    if (!this.#finished) throw errors.protocolBroken(['the base backup has no end']);
    const { start, end } = this.#finished;
    const { walSegmentSizeBytes } = this.#parts.options;
    requireSegments(neededSegments(start, end, walSegmentSizeBytes), this.#walRead);
    return this.#finished;
  }

  /** The server hears by it that the backup is no more, if it wasn't stopped. */
  async close(): Promise<void> {
    this.#parts.signal.removeEventListener('abort', this.#onAbort);
    await this.#session?.close();
  }

  /** Ends when all of it was read. */
  async *#data(): AsyncGenerator<CaptureEvent> {
    const { here, signal } = this.#parts;
    const { uid, gid } = fs.statSync(here.directory);
    this.#owner = { uid, gid };
    yield directory('', this.#owner);
    yield* this.#config.outside(this.#owner);
    const { tablespaceFolder } = here;
    const place = {
      ...{ directory: this.#directory, tablespaceFolder },
      tablespaces: await this.#knownTablespaces(),
    };
    for await (const entry of dataEntries(place)) {
      if (entry.stat.isFile()) yield this.#live(entry);
      else yield* this.#folder(entry);
    }
    await this.#outstanding.ended(signal);
    yield* this.#problems;
    yield* this.#config.linked(this.#owner);
    yield* this.#control();
  }

  /** After the start: one that was made before isn't in the WAL. */
  async #knownTablespaces(): Promise<readonly DataTablespace[]> {
    const found = await tablespacesOf(this.#directory);
    if (!found) throw errors.backupRefused(['a tablespace is not a link to a folder any more']);
    this.#tablespaces = found;
    return found;
  }

  *#folder({ path, stat }: DataEntry): Generator<CaptureEvent> {
    if (!this.#folders.add(path)) return;
    const metadata = metadataOf({ ...tarFacts(stat), kind: 'dir', sizeBytes: 0 });
    yield {
      kind: 'entry',
      path: bytesOf(path),
      metadata,
      content: { from: 'nothing' },
    };
  }

  #live({ path, stat }: DataEntry): CaptureEvent {
    const facts = tarFacts(stat);
    this.#config.saw(path);
    const check = this.#pageSettings(path);
    const ended = this.#outstanding.add((wrong) => {
      this.#manifest.file(path, facts.sizeBytes, facts.mtimeSeconds);
      if (check) this.#judge(path, wrong, check);
    });
    return this.#liveFile(path, facts, {
      ended,
      ...(check && { check: { module: PAGE_READING, settings: check } }),
    });
  }

  #liveFile(
    path: string,
    facts: ReturnType<typeof tarFacts>,
    reading: Pick<LiveContent, 'ended' | 'check'>,
  ): CaptureEvent {
    const { chunkSizeBytes } = this.#parts.options;
    const absolutePath = this.#canonical(path);
    return {
      kind: 'entry',
      path: bytesOf(path),
      metadata: metadataOf(facts),
      content: { from: 'live', absolutePath, chunkSizeBytes, ...reading },
    };
  }

  #canonical(path: string): Buffer {
    const { here } = this.#parts;
    const [first = '', second = ''] = path.split('/', 2);
    if (first === WAL_FOLDER) return pathIn(here.walFolder, path.slice(first.length));
    if (first !== TABLESPACE_FOLDER) return bytesOf(`${this.#directory}/${path}`);
    const folder = this.#tablespaces.find(({ oid }) => oid === second)?.folder ?? here.directory;
    return pathIn(folder, path.slice(first.length + 1 + second.length));
  }

  #pageSettings(path: string): PageSettings | undefined {
    const { options } = this.#parts;
    if (!options.verifyPages) return undefined;
    const layout = { ...options, startLsn: this.#startLsn };
    const firstBlock = firstBlockOf(path, layout);
    const { blockSizeBytes } = options;
    return firstBlock === undefined
      ? undefined
      : { blockSizeBytes, firstBlock, startLsn: this.#startLsn };
  }

  #judge(path: string, wrong: readonly number[], pages: PageSettings): void {
    const blocks = wrong.map((offset) => pages.firstBlock + offset / pages.blockSizeBytes);
    const what = pageFinding(blocks, blocks.length);
    if (what !== undefined) this.#problems.push({ kind: 'problem', path: bytesOf(path), what });
  }

  /** Last of all data, as what it tells must be true of the rest. */
  async *#control(): AsyncGenerator<CaptureEvent> {
    const { here, signal, options } = this.#parts;
    const bytes = await readControl(here.directory, signal);
    const path = 'global/pg_control';
    const facts = tarFacts(fs.statSync(controlFileOf(here.directory)));
    facts.sizeBytes = bytes.length;
    this.#manifest.file(path, bytes.length, facts.mtimeSeconds);
    yield fileEvent(path, metadataOf(facts), streamOf([bytes]), options.chunkSizeBytes);
  }

  #finishedBy({ end, timeline }: StoppedBackup): FinishedBackup {
    return {
      start: { lsn: this.#startLsn, timeline },
      end: { lsn: end, timeline },
      tablespaces: this.#tablespaces.map(({ oid, location }) => ({ oid, location })),
    };
  }

  /** Each segment with the mark that it needs no archive any more, and the histories of timelines. */
  async *#wal({ start, end }: FinishedBackup): AsyncGenerator<CaptureEvent> {
    const { options, signal } = this.#parts;
    const names = await readdir(bytesOf(`${this.#directory}/${WAL_FOLDER}`), {
      encoding: 'latin1',
    });
    const histories = names.filter((name) => HISTORY_FILE.test(name)).sort();
    const needed = neededSegments(start, end, options.walSegmentSizeBytes);
    for (const name of [...needed, ...histories]) {
      const path = `${WAL_FOLDER}/${name}`;
      const stat = fs.statSync(bytesOf(`${this.#directory}/${path}`), { throwIfNoEntry: false });
      if (!stat) throw errors.walMissing([name]);
      const ended = this.#outstanding.add(() => this.#walRead.add(name));
      yield this.#liveFile(path, tarFacts(stat), { ended });
      const mark = `${WAL_FOLDER}/archive_status/${name}.done`;
      yield* this.#folders.above(mark, this.#owner);
      yield madeFile(mark, [], this.#owner, options.chunkSizeBytes);
    }
    await this.#outstanding.ended(signal);
  }

  *#made(
    { label, tablespaceMap }: StoppedBackup,
    { start, end }: FinishedBackup,
  ): Generator<CaptureEvent> {
    const owner = this.#owner;
    const { chunkSizeBytes } = this.#parts.options;
    const files: [string, Buffer][] = [['backup_label', label]];
    if (tablespaceMap.length > 0) files.push(['tablespace_map', tablespaceMap]);
    for (const [path, bytes] of files) {
      const event = madeFile(path, [bytes], owner, chunkSizeBytes);
      this.#manifest.file(path, bytes.length, Math.floor(systemClock.nowMs() / 1000));
      yield event;
    }
    const range = { timeline: start.timeline, start: start.lsn, end: end.lsn };
    yield madeFile('backup_manifest', this.#manifest.finish(range), owner, chunkSizeBytes);
  }
}

const pathIn = (folder: string, below: string): Buffer =>
  Buffer.concat([Buffer.from(folder), bytesOf(below)]);

/** What a tar archive would tell of it. */
function tarFacts(stat: fs.Stats) {
  return {
    kind: 'file' as 'file' | 'dir',
    linkTarget: Buffer.alloc(0),
    permissions: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    mtimeSeconds: Math.floor(stat.mtimeMs / 1000),
    sizeBytes: stat.size,
  };
}
