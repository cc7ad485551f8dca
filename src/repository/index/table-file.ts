/**
 * The table of blobs in a local file, so that an index of ten million blobs is there in a second. Derived: it may be
 * lost, old or damaged at any time, and then the index files are read as without it.
 *
 * Layout: magic (16 bytes), length of the sealed header (uint32-LE), then sealed sections, each of which begins with
 * the file's nonce and its own number, so that none can be exchanged for another one: header (JSON), packs, segments
 * of entries, slots.
 */
import type { MasterKey } from '../crypto/master-key.ts';
import { SEAL_OVERHEAD_BYTES } from '../crypto/sealer.ts';
import { ID_BYTES } from '../names.ts';
import { SEGMENT_ENTRIES, type StoredTable } from './blob-table.ts';
import { ENTRY_WORDS } from './entry-words.ts';
import type { StoredPackTable } from './pack-table.ts';

export const MAGIC = Buffer.from('holdfast index 1');
export const NONCE_BYTES = 16;
/** Nonce and number of the section. */
export const MARK_BYTES = NONCE_BYTES + 4;

export const SEGMENT_BYTES = SEGMENT_ENTRIES * ENTRY_WORDS * 4;
/** Slots of one section. */
export const SLOTS_AT_ONCE = 1 << 18;

/** Section 0. */
export type TableHeader = {
  nonce: string;
  blobs: number;
  slots: number;
  segments: number;
  packs: number;
  further: StoredPackTable['further'];
  alsoIn: StoredPackTable['alsoIn'];
  /** Index files by their numbers in the table of packs. */
  ids: [number: number, id: string][];
};

export const PACKS_SECTION = 1;

/** Ids, first entries, counts, index files. */
const PACK_BYTES = ID_BYTES + 3 * 4;

export type Section = {
  number: number;
  /** In the file. */
  offset: number;
  plainBytes: number;
  what: { kind: 'packs' } | { kind: 'segment' | 'slots'; at: number };
};

/** Where each section lies, after a header of this sealed length. */
export function sectionsOf(header: TableHeader, sealedHeaderBytes: number): Section[] {
  const sections: Section[] = [];
  let offset = MAGIC.length + 4 + sealedHeaderBytes;
  const add = (plainBytes: number, what: Section['what']) => {
    sections.push({ number: sections.length + PACKS_SECTION, offset, plainBytes, what });
    offset += sealedBytes(plainBytes);
  };
  add(header.packs * PACK_BYTES, { kind: 'packs' });
  for (let at = 0; at < header.segments; at += 1) add(SEGMENT_BYTES, { kind: 'segment', at });
  for (let at = 0; at < header.slots; at += SLOTS_AT_ONCE) {
    add(Math.min(SLOTS_AT_ONCE, header.slots - at) * 4, { kind: 'slots', at });
  }
  return sections;
}

export function sealedBytes(plainBytes: number): number {
  return MARK_BYTES + plainBytes + SEAL_OVERHEAD_BYTES;
}

export function markOf(nonce: Buffer, number: number): Buffer {
  const mark = Buffer.alloc(MARK_BYTES);
  nonce.copy(mark);
  mark.writeUInt32LE(number, NONCE_BYTES);
  return mark;
}

export function encodePacks({ ids, firsts, counts, files }: StoredPackTable): Buffer {
  const arrays = [ids, firsts, counts, files];
  return Buffer.concat(
    arrays.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
  );
}

export function decodePacks(bytes: Buffer, header: TableHeader): StoredPackTable {
  const { packs, further, alsoIn } = header;
  // Memory of its own, aligned for words.
  const own = new Uint8Array(bytes).buffer;
  const at = packs * ID_BYTES;
  return {
    ids: new Uint8Array(own, 0, at),
    firsts: new Uint32Array(own, at, packs),
    counts: new Uint32Array(own, at + packs * 4, packs),
    files: new Uint32Array(own, at + packs * 8, packs),
    further,
    alsoIn,
  };
}

/** What a thread is to do: to write the whole file, or to fill some sections of a table from one. */
export type TableTask = { masterKey: MasterKey; file: string } & (
  | { kind: 'write'; header: TableHeader; packs: StoredPackTable; table: StoredTable }
  | { kind: 'fill'; nonce: string; sections: Section[]; table: StoredTable }
);
