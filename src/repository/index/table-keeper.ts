/** Keeps the index between sessions as a table file in a folder that may be deleted at any time. */
import fs, { type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { randomBytes, systemClock } from '#base';
import type { MasterKey } from '../crypto/master-key.ts';
import { Sealer } from '../crypto/sealer.ts';
import { BlobIndex } from './blob-index.ts';
import type { StoredTable } from './blob-table.ts';
import type { IndexKeeper, KeptIndex } from './load-index.ts';
import {
  decodePacks,
  MAGIC,
  MARK_BYTES,
  markOf,
  NONCE_BYTES,
  SEGMENT_BYTES,
  type Section,
  sealedBytes,
  sectionsOf,
  type TableHeader,
  type TableTask,
} from './table-file.ts';

const NAME = 'index-table';
const LENGTH_BYTES = 4;
const MAX_HEADER_BYTES = 256 * 1024 * 1024;

/** Below this the index files are read as quickly. */
const LEAST_BLOBS = 100_000;
/** It is written anew when this part of it had to be read from index files. */
const WORTH_WRITING = 0.1;

const FILLING_THREADS = 2;

export class TableKeeper implements IndexKeeper {
  readonly #folder: string;
  readonly #masterKey: MasterKey;
  readonly #leastBlobs: number;
  #writing: Promise<void> | undefined;

  constructor(folder: string, masterKey: MasterKey, leastBlobs = LEAST_BLOBS) {
    this.#folder = folder;
    this.#masterKey = masterKey;
    this.#leastBlobs = leastBlobs;
  }

  /** Undefined where there is none, or none that is whole. */
  async recall(): Promise<KeptIndex | undefined> {
    const file = path.join(this.#folder, NAME);
    let handle: FileHandle;
    try {
      handle = await fs.open(file, 'r');
    } catch {
      // A cache that isn't there, or can't be read, is none.
      return undefined;
    }
    try {
      const kept = await this.#read(file, handle);
      if (kept) await noteUse(handle);
      return kept;
    } catch {
      // Damaged, or of another key: the index files tell the same.
      return undefined;
    } finally {
      await handle.close();
    }
  }

  keep({ index, ids }: KeptIndex, parsedBlobs: number): void {
    const isWorthIt =
      index.blobCount >= this.#leastBlobs && parsedBlobs >= index.blobCount * WORTH_WRITING;
    if (!isWorthIt || this.#writing) return;
    // A cache that can't be written is none; nobody waits for it but `settled`.
    this.#writing = this.#write(index, ids)
      .catch(() => {})
      .finally(() => {
        this.#writing = undefined;
      });
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #write(index: BlobIndex, ids: KeptIndex['ids']): Promise<void> {
    const { table, packs } = index.store();
    const header: TableHeader = {
      nonce: randomBytes(NONCE_BYTES).toString('hex'),
      blobs: table.count,
      slots: table.slots.byteLength / 4,
      segments: table.segments.length,
      packs: packs.firsts.length,
      further: packs.further,
      alsoIn: packs.alsoIn,
      ids: [...ids],
    };
    await fs.mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const file = path.join(this.#folder, NAME);
    const temporary = `${file}.tmp-${randomBytes(6).toString('hex')}`;
    const masterKey = this.#masterKey;
    try {
      await run({ kind: 'write', file: temporary, masterKey, header, packs, table });
      await fs.rename(temporary, file);
    } finally {
      await fs.rm(temporary, { force: true });
    }
  }

  async #read(file: string, handle: FileHandle): Promise<KeptIndex | undefined> {
    const sealer = new Sealer(this.#masterKey);
    const begin = await readAt(handle, 0, MAGIC.length + LENGTH_BYTES);
    const headerBytes = begin.readUInt32LE(MAGIC.length);
    const isOurs = begin.subarray(0, MAGIC.length).equals(MAGIC);
    if (!isOurs || headerBytes > MAX_HEADER_BYTES) return undefined;
    const head = sealer.open(await readAt(handle, begin.length, headerBytes));
    const header = JSON.parse(head.toString('utf8', MARK_BYTES)) as TableHeader;
    const nonce = Buffer.from(header.nonce, 'hex');
    if (!head.subarray(0, MARK_BYTES).equals(markOf(nonce, 0))) return undefined;

    const [packsSection, ...sections] = sectionsOf(header, headerBytes) as [Section, ...Section[]];
    const table = emptyTable(header);
    const filled = this.#fill(file, header.nonce, sections, table);
    const sealedPacks = await readAt(
      handle,
      packsSection.offset,
      sealedBytes(packsSection.plainBytes),
    );
    const packs = sealer.open(sealedPacks);
    const isWhole = packs.subarray(0, MARK_BYTES).equals(markOf(nonce, packsSection.number));
    if (!(await filled) || !isWhole) return undefined;
    const stored = { table, packs: decodePacks(packs.subarray(MARK_BYTES), header) };
    return { index: new BlobIndex(stored), ids: new Map(header.ids) };
  }

  async #fill(
    file: string,
    nonce: string,
    sections: readonly Section[],
    table: StoredTable,
  ): Promise<boolean> {
    const shares = Array.from({ length: FILLING_THREADS }, (_, lane) =>
      sections.filter((_section, i) => i % FILLING_THREADS === lane),
    );
    const masterKey = this.#masterKey;
    const filled = await Promise.all(
      shares.map((share) => run({ kind: 'fill', file, masterKey, nonce, sections: share, table })),
    );
    return filled.every((whole) => whole === true);
  }
}

function emptyTable(header: TableHeader): StoredTable {
  return {
    slots: new SharedArrayBuffer(header.slots * 4),
    segments: Array.from({ length: header.segments }, () => new SharedArrayBuffer(SEGMENT_BYTES)),
    count: header.blobs,
  };
}

/** What isn't used for longest goes first. */
async function noteUse(handle: FileHandle): Promise<void> {
  const nowS = systemClock.nowMs() / 1000;
  await handle.utimes(nowS, nowS).catch(() => {
    // Somebody else's cache can be read without it.
  });
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, offset);
  if (bytesRead !== length) throw new RangeError('the table file breaks off');
  return buffer;
}

/** Resolves to what the thread told, when it has ended. */
function run(task: TableTask): Promise<unknown> {
  const worker = new Worker(new URL(import.meta.resolve('#worker/index/table-worker')), {
    workerData: task,
  });
  return new Promise((resolve, reject) => {
    let told: unknown;
    worker.on('message', (message) => {
      told = message;
    });
    worker.on('error', reject);
    worker.on('exit', (code) => {
      if (code === 0) resolve(told);
      else reject(new Error(`the thread ended with code ${code}`));
    });
  });
}
