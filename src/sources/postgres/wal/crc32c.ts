/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as Postgres guards its WAL records and manifests.
 * Eight bytes a step by eight tables (Kounavis and Berry, "slicing-by-8"), for pure JS at memory-like speed.
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

/** The state to begin with. */
export const CRC32C_START = -1;

/** Takes bytes [from, to) into a state. Begin with `CRC32C_START`, finish with `crc32cEnd`. */
export function crc32cUpdate(state: number, bytes: Uint8Array, from: number, to: number): number {
  let crc = state;
  let at = from;
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
  for (let step = 1; step < 8; step += 1) {
    const before = tables[step - 1] as Int32Array;
    tables.push(before.map((crc) => (first[crc & 255] as number) ^ (crc >>> 8)));
  }
  return tables;
}
