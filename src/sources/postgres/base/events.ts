import { type FileMetadata, systemClock } from '#base';
import type { CaptureEvent } from '../../source.ts';
import { errors } from '../errors.ts';
import { CONFIG_FOLDER } from '../facts.ts';
import { segmentName, segmentStart } from '../lsn.ts';
import type { Tablespace, WalPosition } from './archives.ts';
import type { ConfigFiles } from './config-files.ts';
import type { ContentWindow } from './content-window.ts';
import { EntryContentReader } from './entry-content.ts';
import type { BackupItem } from './items.ts';
import { ManifestCheck } from './manifest.ts';
import { firstBlockOf, PageCheck } from './page-check.ts';
import type { TarEntry } from './tar.ts';

export type BackupEventOptions = {
  chunkSizeBytes: number;
  blockSizeBytes: number;
  segmentFileBytes: number;
  walSegmentSizeBytes: number;
  verifyPages: boolean;
  configFiles: ConfigFiles;
};

export type FinishedBackup = { start: WalPosition; end: WalPosition; tablespaces: Tablespace[] };

const TABLESPACE_FOLDER = 'pg_tblspc';
const MANIFEST_FILE = 'backup_manifest';

/**
 * Turns a base backup into the events of a capture: everything below one root, tablespaces as folders in the place of
 * their links, parents before children. Files are checked against the manifest and pages against their checksums as
 * they go by.
 */
export class BackupEvents {
  readonly #options: BackupEventOptions;
  /** That the items' content lies in. */
  readonly #window: ContentWindow;
  readonly #manifest = new ManifestCheck();
  readonly #manifestBytes: Buffer[] = [];
  readonly #walFiles = new Set<string>();
  #start: WalPosition | undefined;
  #end: WalPosition | undefined;
  #tablespaces: Tablespace[] = [];
  readonly #givenFolders = new Set<string>();
  #owner: Owner | undefined;
  #pagesFound = false;
  /** Configuration of the data directory that hasn't come by. */
  readonly #configInside: Map<string, Buffer | undefined>;
  /** Path of the archive's root within the snapshot: empty, or `pg_tblspc/<oid>/`. */
  #prefix = '';

  constructor(options: BackupEventOptions, window: ContentWindow) {
    this.#options = options;
    this.#window = window;
    const { inside } = options.configFiles;
    this.#configInside = new Map(inside.map(({ path, content }) => [latin1Of(path), content]));
  }

  async *from(items: AsyncGenerator<BackupItem>): AsyncGenerator<CaptureEvent> {
    for (let next = await items.next(); !next.done; next = await items.next()) {
      const item = next.value;
      if (item.kind === 'start') this.#start = item.at;
      else if (item.kind === 'end') this.#end = item.at;
      else if (item.kind === 'tablespaces') this.#tablespaces = item.tablespaces;
      else if (item.kind === 'archive') this.#archiveBegins(item.tablespace);
      else if (item.kind === 'manifest') this.#manifestArrives(item.bytes);
      else if (item.kind === 'damage-confirmed') yield* this.#damageConfirmed();
      else if (item.kind === 'entry') yield* this.#entryEvents(item.entry, items);
    }
    yield* this.#linkedConfigEvents();
    yield* this.#manifestEvents();
  }

  /**
   * After the events are exhausted.
   * @throws postgres/manifest-mismatch, postgres/wal-missing, postgres/protocol-broken
   */
  finished(): FinishedBackup {
    if (!this.#start || !this.#end) throw errors.protocolBroken(['the base backup has no end']);
    this.#manifest.finish();
    this.#checkWal(this.#start, this.#end);
    return { start: this.#start, end: this.#end, tablespaces: this.#tablespaces };
  }

  #archiveBegins(tablespace: string | undefined): void {
    this.#prefix = tablespace === undefined ? '' : `${TABLESPACE_FOLDER}/${tablespace}/`;
  }

  /** The root, the configuration outside and the folders of the archive, owned as the server's first file is. */
  *#foldersAbove(first: TarEntry): Generator<CaptureEvent> {
    if (this.#owner === undefined) {
      this.#owner = { uid: first.uid, gid: first.gid };
      yield directory('', this.#owner);
      yield* this.#configEvents(this.#owner);
    }
    yield* this.#missingFolders(this.#prefix, this.#owner);
  }

  /** `pg_tblspc/16384/` gives `pg_tblspc` and `pg_tblspc/16384`, each once. */
  *#missingFolders(path: string, owner: Owner): Generator<CaptureEvent> {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      const folder = path.slice(0, slash);
      if (this.#givenFolders.has(folder)) continue;
      this.#givenFolders.add(folder);
      yield directory(folder, owner);
    }
  }

  /** Which pages is known from our own check; a problem is told in any case. */
  *#damageConfirmed(): Generator<CaptureEvent> {
    if (this.#pagesFound) return;
    const what = 'the server found wrong page checksums; its log names the files';
    yield { kind: 'problem', path: Buffer.alloc(0), what };
  }

  #manifestArrives(arrived: Buffer): void {
    // What arrives holds only until the next item.
    const bytes = Buffer.from(arrived);
    this.#manifest.take(bytes);
    this.#manifestBytes.push(bytes);
  }

  async *#entryEvents(
    entry: TarEntry,
    items: AsyncGenerator<BackupItem>,
  ): AsyncGenerator<CaptureEvent> {
    yield* this.#foldersAbove(entry);
    const path = this.#pathOf(entry);
    const content = new EntryContentReader(items, this.#window, this.#pageCheckFor(path));
    if (entry.kind === 'file') {
      yield fileEvent(path, metadataOf(entry), content.slices(), this.#options.chunkSizeBytes);
    } else if (!this.#givenFolders.has(path)) {
      this.#givenFolders.add(path);
      yield this.#isTablespace(path)
        ? directory(path, entry)
        : {
            kind: 'entry',
            path: Buffer.from(path, 'latin1'),
            metadata: metadataOf(entry),
            content: { from: 'nothing' },
          };
    }
    await content.drain();
    if (entry.kind !== 'file') return;
    this.#configInside.delete(path);
    this.#manifest.saw(path, { sizeBytes: content.sizeBytes, crc32c: content.crc32c });
    if (path.startsWith('pg_wal/')) this.#walFiles.add(path.slice('pg_wal/'.length));
    if (content.pageFinding !== undefined) {
      this.#pagesFound = true;
      yield { kind: 'problem', path: Buffer.from(path, 'latin1'), what: content.pageFinding };
    }
  }

  /** Paths are raw bytes held as latin1 text, one character a byte. */
  #pathOf(entry: TarEntry): string {
    const name = entry.path.toString('latin1').replace(/^\.\//, '');
    const parts = name.split('/');
    if (name.startsWith('/') || parts.includes('..') || parts.includes('')) {
      throw errors.protocolBroken([`a member of the archive is named ${JSON.stringify(name)}`]);
    }
    return this.#prefix + name;
  }

  /** Its link isn't captured: the folder stands in its place. */
  #isTablespace(path: string): boolean {
    return this.#tablespaces.some(({ oid }) => path === `${TABLESPACE_FOLDER}/${oid}`);
  }

  #pageCheckFor(path: string): PageCheck | undefined {
    if (!this.#options.verifyPages || this.#start === undefined) return undefined;
    const layout = { ...this.#options, startLsn: this.#start.lsn };
    const firstBlock = firstBlockOf(path, layout);
    return firstBlock === undefined ? undefined : new PageCheck(this.#window, layout, firstBlock);
  }

  *#configEvents(owner: Owner): Generator<CaptureEvent> {
    const { files, unreadable, grant } = this.#options.configFiles;
    for (const { absolutePath, content } of files) {
      yield* this.#madeFileEvents(latin1Of(CONFIG_FOLDER + absolutePath), content, owner);
    }
    for (const file of unreadable) {
      yield unreadableConfig(latin1Of(CONFIG_FOLDER + file), file, grant);
    }
  }

  /** Links to files elsewhere, which a base backup leaves out: files in their place. */
  *#linkedConfigEvents(): Generator<CaptureEvent> {
    const owner = this.#owner;
    if (owner === undefined) return;
    for (const [path, content] of this.#configInside) {
      if (content === undefined)
        yield unreadableConfig(path, path, this.#options.configFiles.grant);
      else yield* this.#madeFileEvents(path, content, owner);
    }
  }

  *#madeFileEvents(path: string, content: Buffer, owner: Owner): Generator<CaptureEvent> {
    yield* this.#missingFolders(path, owner);
    const metadata = madeMetadata('file', 0o600, owner);
    metadata.sizeBytes = BigInt(content.length);
    yield fileEvent(path, metadata, streamOf([content]), this.#options.chunkSizeBytes);
  }

  *#manifestEvents(): Generator<CaptureEvent> {
    const bytes = this.#manifestBytes;
    const metadata = madeMetadata('file', 0o600, this.#owner ?? { uid: 0, gid: 0 });
    metadata.sizeBytes = BigInt(bytes.reduce((sum, part) => sum + part.length, 0));
    yield fileEvent(MANIFEST_FILE, metadata, streamOf(bytes), this.#options.chunkSizeBytes);
  }

  /** The base starts by itself only with every segment from its start to its end. */
  #checkWal(start: WalPosition, end: WalPosition): void {
    const size = this.#options.walSegmentSizeBytes;
    const last = segmentStart(end.lsn - 1n, size);
    for (let at = segmentStart(start.lsn, size); at <= last; at += BigInt(size)) {
      // A standby may have been promoted meanwhile; the server refuses that by itself.
      const name = segmentName(end.timeline, at, size);
      if (!this.#walFiles.has(name)) throw errors.walMissing([name]);
    }
  }
}

type Owner = { uid: number; gid: number };

/** Paths are held as latin1 text, one character a byte. */
const latin1Of = (path: string) => Buffer.from(path).toString('latin1');

function unreadableConfig(path: string, file: string, grant: string): CaptureEvent {
  const what = `${file} on the server can't be read: ${grant}`;
  return { kind: 'problem', path: Buffer.from(path, 'latin1'), what };
}

function fileEvent(
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

async function* streamOf(parts: Buffer[]): AsyncGenerator<Buffer> {
  yield* parts;
}

function directory(path: string, owner: Owner): CaptureEvent {
  return {
    kind: 'entry',
    path: Buffer.from(path, 'latin1'),
    metadata: madeMetadata('dir', 0o700, owner),
    content: { from: 'nothing' },
  };
}

function metadataOf(entry: TarEntry): FileMetadata {
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
