/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as Postgres guards its WAL records and manifests.
 * Eight or sixteen bytes a step by tables (Kounavis and Berry, "slicing-by-8" and 16), for pure JS at memory-like speed.
 */
const POLYNOMIAL = 0x82f63b78;
const TABLES = makeTables();
const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES as [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
];

/** All tables in one, for whole words. */
const WIDE = Int32Array.from(TABLES.flatMap((table) => [...table]));
/** Below this a view of words costs more than it brings. */
const WORTH_ALIGNING = 256;

/** The state to begin with. */
export const CRC32C_START = -1;

/** Takes bytes [from, to) into a state. Begin with `CRC32C_START`, finish with `crc32cEnd`. */
export function crc32cUpdate(state: number, bytes: Uint8Array, from: number, to: number): number {
  let crc = state;
  let at = from;
  if (to - from >= WORTH_ALIGNING) {
    while ((bytes.byteOffset + at) % 4 !== 0) {
      crc = (T0[(crc ^ (bytes[at] as number)) & 255] as number) ^ (crc >>> 8);
      at += 1;
    }
    const wordCount = ((to - at) >>> 4) << 2;
    crc = updateByWords(crc, new Int32Array(bytes.buffer, bytes.byteOffset + at, wordCount));
    at += wordCount * 4;
  }
  for (const lastWhole = to - 8; at <= lastWhole; at += 8) {
    const low =
      crc ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24));
    crc =
      (T7[low & 255] as number) ^
      (T6[(low >>> 8) & 255] as number) ^
      (T5[(low >>> 16) & 255] as number) ^
      (T4[low >>> 24] as number) ^
      (T3[bytes[at + 4] as number] as number) ^
      (T2[bytes[at + 5] as number] as number) ^
      (T1[bytes[at + 6] as number] as number) ^
      (T0[bytes[at + 7] as number] as number);
  }
  for (; at < to; at += 1) {
    crc = (T0[(crc ^ (bytes[at] as number)) & 255] as number) ^ (crc >>> 8);
  }
  return crc;
}

/** Sixteen bytes a step, where they can be read as words: nearly twice as fast. A multiple of 4 words. */
function updateByWords(state: number, words: Int32Array): number {
  let crc = state;
  for (let at = 0; at < words.length; at += 4) {
    const a = (words[at] as number) ^ crc;
    const b = words[at + 1] as number;
    const c = words[at + 2] as number;
    const d = words[at + 3] as number;
    crc =
      (WIDE[0xf00 | (a & 255)] as number) ^
      (WIDE[0xe00 | ((a >>> 8) & 255)] as number) ^
      (WIDE[0xd00 | ((a >>> 16) & 255)] as number) ^
      (WIDE[0xc00 | (a >>> 24)] as number) ^
      (WIDE[0xb00 | (b & 255)] as number) ^
      (WIDE[0xa00 | ((b >>> 8) & 255)] as number) ^
      (WIDE[0x900 | ((b >>> 16) & 255)] as number) ^
      (WIDE[0x800 | (b >>> 24)] as number) ^
      (WIDE[0x700 | (c & 255)] as number) ^
      (WIDE[0x600 | ((c >>> 8) & 255)] as number) ^
      (WIDE[0x500 | ((c >>> 16) & 255)] as number) ^
      (WIDE[0x400 | (c >>> 24)] as number) ^
      (WIDE[0x300 | (d & 255)] as number) ^
      (WIDE[0x200 | ((d >>> 8) & 255)] as number) ^
      (WIDE[0x100 | ((d >>> 16) & 255)] as number) ^
      (WIDE[d >>> 24] as number);
  }
  return crc;
}

/** The checksum as an unsigned number. */
export function crc32cEnd(state: number): number {
  return ~state >>> 0;
}

export function crc32c(bytes: Uint8Array): number {
  return crc32cEnd(crc32cUpdate(CRC32C_START, bytes, 0, bytes.length));
}

function makeTables(): Int32Array[] {
  const first = new Int32Array(256);
  for (let value = 0; value < 256; value += 1) {
    let crc = value;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    first[value] = crc;
  }
  const tables = [first];
  for (let step = 1; step < 16; step += 1) {
    const before = tables[step - 1] as Int32Array;
    tables.push(before.map((crc) => (first[crc & 255] as number) ^ (crc >>> 8)));
  }
  return tables;
}
