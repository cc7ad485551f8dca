import fs from 'node:fs/promises';
import path from 'node:path';
import { type FileMetadata, systemClock } from '#base';
import type { Capture, CaptureEvent, CaptureOutcome, LeftTree } from '../../source.ts';
import { ContentWindow } from '../base/content-window.ts';
import { type BaseFacts, baseFactsOf, CONFIG_FOLDER } from '../facts.ts';
import type { ProductionConfig, ProductionNow } from './ask-production.ts';
import { backupLabelText } from './backup-label.ts';
import { BlocksCheck } from './blocks-check.ts';
import type { ControlFile } from './control-file.ts';
import { type LeftEntry, leftEntries } from './left-entries.ts';

export type AdvancedCaptureParts = {
  /** The base that this one was made of. */
  before: CaptureOutcome;
  store: string;
  made: {
    control: ControlFile;
    end: bigint;
    /** Folder with the WAL from the restartpoint to the end, whole segments. */
    segments: string;
    /** Of production's files, as the base before has them. */
    owner: Owner;
  };
  left: LeftTree;
  /** Undefined: the base before says it. */
  now: ProductionNow | undefined;
};

type Owner = { uid: number; gid: number };

/** The base that a stopped standby left, as events: what it wrote is given, of all else only where it lies already. */
export class AdvancedCapture implements Capture {
  readonly kind = 'base';
  readonly root: string;
  readonly expectedBytes = undefined;
  readonly #parts: AdvancedCaptureParts;
  readonly #facts: BaseFacts;
  readonly #window = new ContentWindow();
  readonly #tablespaces = new Set<string>();
  readonly #folders = new Set<string>();

  constructor(parts: AdvancedCaptureParts) {
    this.#parts = parts;
    this.root = `/postgres/${parts.store}`;
    this.#facts = baseFactsOf(parts.before);
  }

  async *events(): AsyncGenerator<CaptureEvent> {
    const { left, now } = this.#parts;
    const config = now?.config;
    yield this.#folder('', 0o700);
    for await (const entry of leftEntries(left.directory)) {
      // In their place come those that production has now.
      if (config && entry.stat.isFile() && isConfig(entry.path, config)) continue;
      if (entry.stat.isDirectory()) this.#folders.add(entry.path);
      const tablespace = /^pg_tblspc\/(\d+)$/.exec(entry.path)?.[1];
      if (tablespace !== undefined) this.#tablespaces.add(tablespace);
      if (entry.stat.isFile()) yield* this.#file(entry);
      else yield this.#other(entry);
    }
    for (const [name, content] of config?.files ?? []) {
      yield* this.#missingFolders(name);
      yield this.#made(name, content);
    }
    yield* this.#segments();
    yield this.#label();
  }

  async outcome(): Promise<CaptureOutcome> {
    const { before, made, now } = this.#parts;
    const { line } = before.end;
    const known = new Map(this.#facts.tablespaces.map(({ oid, location }) => [oid, location]));
    const tablespaces = [...this.#tablespaces].map((oid) => ({
      oid,
      // As Postgres names one that lies within the data directory: where production has it isn't known here.
      location: known.get(oid) ?? `pg_tblspc/${oid}`,
    }));
    return {
      start: { line, offset: made.control.redo },
      end: { line, offset: made.end },
      clock: now?.clock ?? before.clock,
      facts: {
        ...before.facts,
        tablespaces,
        ...(now && { needs: now.needs }),
        ...(now?.config && { configFiles: now.config.outside }),
      },
    };
  }

  async close(): Promise<void> {
    // Holds nothing open.
  }

  async *#file({ path: name, relative, stat }: LeftEntry): AsyncGenerator<CaptureEvent> {
    const { left } = this.#parts;
    const { chunkSizeBytes } = this.#facts;
    const check = new BlocksCheck(this.#window, this.#facts, name);
    yield {
      kind: 'entry',
      path: Buffer.from(name, 'latin1'),
      metadata: this.#metadata('file', stat.mode, stat.mtimeNs, stat.size),
      content: {
        from: 'blocks',
        blocks: check.over(left.blocks(relative, chunkSizeBytes)),
        chunkSizeBytes,
      },
    };
    const { finding } = check;
    if (finding) yield { kind: 'problem', path: Buffer.from(name, 'latin1'), what: finding };
  }

  #other({ path: name, stat, linkTarget }: LeftEntry): CaptureEvent {
    const kind = stat.isDirectory() ? 'dir' : 'symlink';
    const metadata = this.#metadata(kind, stat.mode, stat.mtimeNs, 0n);
    return {
      kind: 'entry',
      path: Buffer.from(name, 'latin1'),
      metadata: linkTarget === undefined ? metadata : { ...metadata, linkTarget },
      content: { from: 'nothing' },
    };
  }

  async *#segments(): AsyncGenerator<CaptureEvent> {
    const { segments } = this.#parts.made;
    const names = (await fs.readdir(segments)).sort();
    for (const name of names) {
      const file = path.join(segments, name);
      const { size, mtimeNs } = await fs.stat(file, { bigint: true });
      yield this.#stream(`pg_wal/${name}`, readIn(file), { sizeBytes: size, mtimeNs });
    }
  }

  #label(): CaptureEvent {
    const { redo, checkpoint, timeline } = this.#parts.made.control;
    const text = backupLabelText({
      ...{ redo, checkpoint, timeline },
      segmentSizeBytes: this.#facts.walSegmentSizeBytes,
      startedAtMs: systemClock.nowMs(),
      label: 'holdfast, made off production',
    });
    return this.#made('backup_label', Buffer.from(text));
  }

  #made(name: string, bytes: Buffer): CaptureEvent {
    const sizeBytes = BigInt(bytes.length);
    return this.#stream(name, once(bytes), { sizeBytes, mtimeNs: nowNs() });
  }

  /** Above a file of configuration that is new since the base before. */
  *#missingFolders(name: string): Generator<CaptureEvent> {
    for (let slash = name.indexOf('/'); slash !== -1; slash = name.indexOf('/', slash + 1)) {
      const folder = name.slice(0, slash);
      if (this.#folders.has(folder)) continue;
      this.#folders.add(folder);
      yield this.#folder(folder, 0o700);
    }
  }

  #stream(
    name: string,
    bytes: AsyncIterable<Buffer>,
    { sizeBytes, mtimeNs }: { sizeBytes: bigint; mtimeNs: bigint },
  ): CaptureEvent {
    return {
      kind: 'entry',
      path: Buffer.from(name, 'latin1'),
      metadata: this.#metadata('file', 0o600n, mtimeNs, sizeBytes),
      content: { from: 'stream', bytes, chunkSizeBytes: this.#facts.chunkSizeBytes },
    };
  }

  #folder(name: string, permissions: number): CaptureEvent {
    return {
      kind: 'entry',
      path: Buffer.from(name, 'latin1'),
      metadata: this.#metadata('dir', BigInt(permissions), nowNs(), 0n),
      content: { from: 'nothing' },
    };
  }

  /** As a base backup tells it: all times are the time of change. */
  #metadata(
    kind: FileMetadata['kind'],
    mode: bigint,
    mtimeNs: bigint,
    sizeBytes: bigint,
  ): FileMetadata {
    return {
      kind,
      permissions: Number(mode & 0o7777n),
      ...{ mtimeNs, atimeNs: mtimeNs, ctimeNs: mtimeNs },
      ...this.#parts.made.owner,
      user: '',
      group: '',
      inode: 0n,
      deviceId: 0n,
      links: 1n,
      sizeBytes,
      xattrs: [],
    };
  }
}

/** Also one that production hasn't got any more. */
const isConfig = (name: string, { files }: ProductionConfig): boolean =>
  files.has(name) || name.startsWith(`${CONFIG_FOLDER}/`);

const nowNs = () => BigInt(systemClock.nowMs()) * 1_000_000n;

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

async function* readIn(file: string): AsyncGenerator<Buffer> {
  const handle = await fs.open(file, 'r');
  try {
    yield* handle.createReadStream({ autoClose: false, highWaterMark: 2 ** 20 });
  } finally {
    await handle.close();
  }
}
