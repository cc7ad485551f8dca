import fs from 'node:fs/promises';
import path from 'node:path';
import { type FileMetadata, systemClock } from '#base';
import type { Capture, CaptureEvent, CaptureOutcome, LeftTree } from '../../source.ts';
import { ContentWindow } from '../base/content-window.ts';
import { type BaseFacts, baseFactsOf } from '../facts.ts';
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

  constructor(parts: AdvancedCaptureParts) {
    this.#parts = parts;
    this.root = `/postgres/${parts.store}`;
    this.#facts = baseFactsOf(parts.before);
  }

  async *events(): AsyncGenerator<CaptureEvent> {
    const { left } = this.#parts;
    yield this.#folder('', 0o700);
    for await (const entry of leftEntries(left.directory)) {
      const tablespace = /^pg_tblspc\/(\d+)$/.exec(entry.path)?.[1];
      if (tablespace !== undefined) this.#tablespaces.add(tablespace);
      if (entry.stat.isFile()) yield* this.#file(entry);
      else yield this.#other(entry);
    }
    yield* this.#segments();
    yield this.#label();
  }

  async outcome(): Promise<CaptureOutcome> {
    const { before, made } = this.#parts;
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
      clock: before.clock,
      facts: { ...before.facts, tablespaces },
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
    const bytes = Buffer.from(text);
    return this.#stream('backup_label', once(bytes), {
      sizeBytes: BigInt(bytes.length),
      mtimeNs: nowNs(),
    });
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
