import type { CaptureEvent } from '../../source.ts';
import { errors } from '../errors.ts';
import type { Tablespace, WalPosition } from './archives.ts';
import { ConfigEvents } from './config-events.ts';
import type { ConfigFiles } from './config-files.ts';
import type { ContentWindow } from './content-window.ts';
import { EntryContentReader } from './entry-content.ts';
import { GivenFolders } from './given-folders.ts';
import type { BackupItem } from './items.ts';
import { directory, fileEvent, madeFile, metadataOf, type Owner } from './made-entries.ts';
import { ManifestCheck } from './manifest.ts';
import { neededSegments, requireSegments } from './needed-wal.ts';
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
  readonly #folders = new GivenFolders();
  #owner: Owner | undefined;
  #pagesFound = false;
  readonly #config: ConfigEvents;
  /** Path of the archive's root within the snapshot: empty, or `pg_tblspc/<oid>/`. */
  #prefix = '';

  constructor(options: BackupEventOptions, window: ContentWindow) {
    this.#options = options;
    this.#window = window;
    this.#config = new ConfigEvents(options.configFiles, this.#folders, options.chunkSizeBytes);
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
    if (this.#owner) yield* this.#config.linked(this.#owner);
    yield this.#manifestEvent();
  }

  /**
   * After the events are exhausted.
   * @throws postgres/manifest-mismatch, postgres/wal-missing, postgres/protocol-broken
   */
  finished(): FinishedBackup {
    if (!this.#start || !this.#end) throw errors.protocolBroken(['the base backup has no end']);
    this.#manifest.finish();
    const { walSegmentSizeBytes } = this.#options;
    requireSegments(neededSegments(this.#start, this.#end, walSegmentSizeBytes), this.#walFiles);
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
      yield* this.#config.outside(this.#owner);
    }
    yield* this.#folders.above(this.#prefix, this.#owner);
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
    } else if (this.#folders.add(path)) {
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
    this.#config.saw(path);
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

  #manifestEvent(): CaptureEvent {
    const owner = this.#owner ?? { uid: 0, gid: 0 };
    return madeFile(MANIFEST_FILE, this.#manifestBytes, owner, this.#options.chunkSizeBytes);
  }
}
