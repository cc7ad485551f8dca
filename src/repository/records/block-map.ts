/**
 * The block map of a capture that was cut into fixed chunks: which blob holds which block of which file, so that a
 * mount finds a block with one small read and decodes no tree. Two kinds of sealed files under `<name>/`:
 *
 * `pages/<n, 8 hex digits>`: `PAGE_IDS` blob ids of 32 bytes, one after another; the ids of all files in one row, each
 * file's from its `firstId` on, cut into pages of equal size (the last may be shorter).
 *
 * `table`: magic "HFBM", version u32, files u32, ids u64, ids of a page u32, then for each file, ordered by the bytes
 * of its path: length of the path u16, chunk size u32, size u64, first id u64, path. Little-endian. Written last:
 * without it there is no map.
 */

import { errors } from '../errors.ts';
import { ID_BYTES } from '../names.ts';
import { storeFolder } from './names.ts';
import type { RecordsHome } from './record-files.ts';
import type { StoreAddress } from './records.ts';

/** 128 KiB: one page maps 512 MiB of a store that is cut into 128 KiB. */
const PAGE_IDS = 4096;
const MAGIC = 0x4d424648;
const VERSION = 1;
const HEADER_BYTES = 24;
const ENTRY_BYTES = 22;

export function blockMapName(address: StoreAddress, captureId: string): string {
  return `${storeFolder('blocks', address)}${captureId}`;
}

/** Files of all block maps of a store. */
export function listBlockMapFiles(home: RecordsHome, address: StoreAddress): Promise<string[]> {
  return home.sealed.list(storeFolder('blocks', address));
}

/** Id of the capture that a file of a block map belongs to. */
export function captureOfBlockMapFile(name: string): string {
  return name.split('/')[4] ?? '';
}

const pageName = (map: string, page: number) =>
  `${map}/pages/${page.toString(16).padStart(8, '0')}`;
const tableName = (map: string) => `${map}/table`;

export interface BlockMapWriter {
  /**
   * Files in any order, each once; `ids` as `SavedContent` has them. Resolves when another may be given: full pages
   * are stored as they fill, so that memory holds one page and the table.
   */
  add(path: Buffer, sizeBytes: bigint, chunkSizeBytes: number, ids: Buffer): Promise<void>;
  /** Durable when it resolves; to the map's name, or undefined where no file was given. */
  finish(): Promise<string | undefined>;
}

type TableEntry = { path: Buffer; sizeBytes: bigint; chunkSizeBytes: number; firstId: bigint };

export function openBlockMapWriter(
  home: RecordsHome,
  address: StoreAddress,
  captureId: string,
  options: { pageIds?: number } = {},
): BlockMapWriter {
  const name = blockMapName(address, captureId);
  const pageBytes = (options.pageIds ?? PAGE_IDS) * ID_BYTES;
  const entries: TableEntry[] = [];
  let page = Buffer.alloc(pageBytes);
  let filled = 0;
  let pages = 0;
  let totalIds = 0n;
  let last: Promise<void> = Promise.resolve();

  const storePage = async (bytes: Buffer) => {
    const number = pages;
    pages += 1;
    await home.sealed.write(pageName(name, number), bytes);
  };
  const addIds = async (ids: Buffer) => {
    for (let at = 0; at < ids.length; ) {
      const taken = ids.copy(page, filled, at, Math.min(ids.length, at + pageBytes - filled));
      at += taken;
      filled += taken;
      if (filled < pageBytes) continue;
      const full = page;
      page = Buffer.alloc(pageBytes);
      filled = 0;
      await storePage(full);
    }
  };

  return {
    async add(path, sizeBytes, chunkSizeBytes, ids) {
      assertFits(name, sizeBytes, chunkSizeBytes, ids);
      entries.push({ path, sizeBytes, chunkSizeBytes, firstId: totalIds });
      totalIds += BigInt(ids.length / ID_BYTES);
      // One after another: the ids of two files must not mix within a page.
      last = last.then(() => addIds(ids));
      await last;
    },
    async finish() {
      await last;
      if (entries.length === 0) return undefined;
      if (filled > 0) await storePage(page.subarray(0, filled));
      await home.sealed.write(
        tableName(name),
        encodeTable(entries, totalIds, pageBytes / ID_BYTES),
      );
      return name;
    },
  };
}

function assertFits(name: string, sizeBytes: bigint, chunkSizeBytes: number, ids: Buffer): void {
  const blocks =
    chunkSizeBytes > 0 ? (sizeBytes + BigInt(chunkSizeBytes) - 1n) / BigInt(chunkSizeBytes) : -1n;
  if (BigInt(ids.length) !== blocks * BigInt(ID_BYTES))
    throw errors.blockMapInvalid([name, `${sizeBytes} bytes don't make ${ids.length / 32} blocks`]);
}

function encodeTable(entries: TableEntry[], totalIds: bigint, pageIds: number): Buffer {
  entries.sort((a, b) => Buffer.compare(a.path, b.path));
  const length = entries.reduce((sum, entry) => sum + ENTRY_BYTES + entry.path.length, 0);
  const table = Buffer.alloc(HEADER_BYTES + length);
  table.writeUInt32LE(MAGIC, 0);
  table.writeUInt32LE(VERSION, 4);
  table.writeUInt32LE(entries.length, 8);
  table.writeBigUInt64LE(totalIds, 12);
  table.writeUInt32LE(pageIds, 20);
  let at = HEADER_BYTES;
  for (const entry of entries) {
    table.writeUInt16LE(entry.path.length, at);
    table.writeUInt32LE(entry.chunkSizeBytes, at + 2);
    table.writeBigUInt64LE(entry.sizeBytes, at + 6);
    table.writeBigUInt64LE(entry.firstId, at + 14);
    entry.path.copy(table, at + ENTRY_BYTES);
    at += ENTRY_BYTES + entry.path.length;
  }
  return table;
}

export type MappedFile = { path: Buffer; sizeBytes: bigint; chunkSizeBytes: number };

export interface BlockMap {
  /** Ordered by the bytes of their paths. */
  readonly files: readonly MappedFile[];
  /** Undefined where the map has no such file. */
  find(path: Buffer): MappedFile | undefined;
  /** Id of the blob that holds this block (from 0). Reads at most one page; a few are kept. */
  blockId(file: MappedFile, block: number): Promise<Buffer>;
}

/** Pages that are kept by one open map. */
const KEPT_PAGES = 64;

/** Throws `repository/not-in-storage` or `repository/block-map-invalid`. */
export async function openBlockMap(home: RecordsHome, name: string): Promise<BlockMap> {
  const table = decodeTable(await home.sealed.read(tableName(name)), name);
  const kept = new Map<number, Promise<Buffer>>();
  const readPage = (page: number): Promise<Buffer> => {
    const known = kept.get(page);
    if (known) {
      kept.delete(page);
      kept.set(page, known);
      return known;
    }
    const reading = home.sealed.read(pageName(name, page));
    // What failed may be asked again.
    reading.catch(() => kept.delete(page));
    kept.set(page, reading);
    const [oldest] = kept.keys();
    if (kept.size > KEPT_PAGES && oldest !== undefined) kept.delete(oldest);
    return reading;
  };
  return {
    files: table.files,
    find: (path) => findFile(table.files, path),
    async blockId(file, block) {
      const { firstId } = file as TableEntry;
      const inside = block >= 0 && BigInt(block) * BigInt(file.chunkSizeBytes) < file.sizeBytes;
      if (!inside) throw errors.blockMapInvalid([name, `a file has no block ${block}`]);
      const id = Number(firstId) + block;
      const page = await readPage(Math.floor(id / table.pageIds));
      const at = (id % table.pageIds) * ID_BYTES;
      if (at + ID_BYTES > page.length) throw errors.blockMapInvalid([name, 'a page is too short']);
      return page.subarray(at, at + ID_BYTES);
    },
  };
}

function findFile(files: readonly TableEntry[], path: Buffer): TableEntry | undefined {
  let low = 0;
  let high = files.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = Buffer.compare((files[middle] as TableEntry).path, path);
    if (order === 0) return files[middle];
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return undefined;
}

function decodeTable(bytes: Buffer, name: string): { files: TableEntry[]; pageIds: number } {
  const invalid = (why: string) => errors.blockMapInvalid([name, why]);
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC)
    throw invalid('it is no block map');
  if (bytes.readUInt32LE(4) > VERSION) throw errors.recordTooNew([name, bytes.readUInt32LE(4)]);
  const count = bytes.readUInt32LE(8);
  const totalIds = bytes.readBigUInt64LE(12);
  const pageIds = bytes.readUInt32LE(20);
  if (pageIds === 0) throw invalid('its pages are empty');
  const files: TableEntry[] = [];
  let at = HEADER_BYTES;
  for (let index = 0; index < count; index += 1) {
    if (bytes.length - at < ENTRY_BYTES) throw invalid('its table is cut');
    const pathBytes = bytes.readUInt16LE(at);
    const entry = {
      chunkSizeBytes: bytes.readUInt32LE(at + 2),
      sizeBytes: bytes.readBigUInt64LE(at + 6),
      firstId: bytes.readBigUInt64LE(at + 14),
      path: bytes.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + pathBytes),
    };
    at += ENTRY_BYTES + pathBytes;
    if (at > bytes.length) throw invalid('its table is cut');
    const previous = files.at(-1);
    if (previous && Buffer.compare(previous.path, entry.path) >= 0)
      throw invalid('its table is out of order');
    const chunk = BigInt(entry.chunkSizeBytes);
    if (chunk === 0n || entry.firstId + (entry.sizeBytes + chunk - 1n) / chunk > totalIds)
      throw invalid('a file points past its pages');
    files.push(entry);
  }
  return { files, pageIds };
}
