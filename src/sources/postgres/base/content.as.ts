/**
 * AssemblyScript. What is done with every byte of a base backup: CRC-32C and the checksums of its pages.
 * Memory: the tables that `makeTables` writes lie at 0; content lies above, where the caller put it.
 */
const POLYNOMIAL: u32 = 0x82f63b78;
const TABLE_BYTES: usize = 1024;
/** 32 lanes of four bytes. */
const ROW_BYTES: usize = 128;
const PRIME: u32 = 16777619;

/** Sixteen tables of 256 numbers: what a byte that lies so many bytes before the end does to the checksum. */
export function makeTables(): void {
  for (let value: u32 = 0; value < 256; value++) {
    let crc = value;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ POLYNOMIAL : crc >> 1;
    store<u32>(value << 2, crc);
  }
  for (let at: usize = TABLE_BYTES; at < 16 * TABLE_BYTES; at += 4) {
    const before = load<u32>(at - TABLE_BYTES);
    store<u32>(at, load<u32>((before & 255) << 2) ^ (before >> 8));
  }
}

/**
 * Takes the bytes from `at` to `end` into a state: sixteen a step, each through the table of its distance from the end
 * of the step (Kounavis and Berry, "slicing").
 */
export function crc32c(state: u32, at: usize, end: usize): u32 {
  let crc = state;
  for (; at + 16 <= end; at += 16) {
    const a = load<u32>(at) ^ crc;
    const b = load<u32>(at, 4);
    const c = load<u32>(at, 8);
    const d = load<u32>(at, 12);
    crc =
      load<u32>((a & 255) << 2, 0x3c00) ^
      load<u32>(((a >> 8) & 255) << 2, 0x3800) ^
      load<u32>(((a >> 16) & 255) << 2, 0x3400) ^
      load<u32>((a >> 24) << 2, 0x3000) ^
      load<u32>((b & 255) << 2, 0x2c00) ^
      load<u32>(((b >> 8) & 255) << 2, 0x2800) ^
      load<u32>(((b >> 16) & 255) << 2, 0x2400) ^
      load<u32>((b >> 24) << 2, 0x2000) ^
      load<u32>((c & 255) << 2, 0x1c00) ^
      load<u32>(((c >> 8) & 255) << 2, 0x1800) ^
      load<u32>(((c >> 16) & 255) << 2, 0x1400) ^
      load<u32>((c >> 24) << 2, 0x1000) ^
      load<u32>((d & 255) << 2, 0x0c00) ^
      load<u32>(((d >> 8) & 255) << 2, 0x0800) ^
      load<u32>(((d >> 16) & 255) << 2, 0x0400) ^
      load<u32>((d >> 24) << 2);
  }
  for (; at < end; at++) crc = load<u32>(((crc ^ load<u8>(at)) & 255) << 2) ^ (crc >> 8);
  return crc;
}

/**
 * The first of the pages from `at` to `end` whose checksum is wrong, its address; `end` where there is none. Pages that
 * were never initialised have none, and those written since `startLsn` are brought by WAL (PostgreSQL: basebackup.c).
 */
export function findBadPage(
  at: usize,
  end: usize,
  pageBytes: usize,
  block: u32,
  startHigh: u32,
  startLow: u32,
): usize {
  for (; at < end; at += pageBytes) {
    // pd_upper is zero on a page that was never initialised.
    if (load<u16>(at, 14) != 0 && !isNewer(at, startHigh, startLow)) {
      if (load<u16>(at, 8) != (pageChecksum(at, pageBytes, block) as u16)) return at;
    }
    block++;
  }
  return end;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function isNewer(at: usize, startHigh: u32, startLow: u32): bool {
  const high = load<u32>(at);
  return high > startHigh || (high == startHigh && load<u32>(at, 4) >= startLow);
}

/** 32 interleaved FNV-1a-like sums, the field of the checksum taken as zero (PostgreSQL: storage/checksum_impl.h). */
function pageChecksum(at: usize, pageBytes: usize, block: u32): u32 {
  const stored = load<u16>(at, 8);
  store<u16>(at, 0, 8);
  let a = i32x4(0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a);
  let b = i32x4(0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c);
  let c = i32x4(0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa);
  let d = i32x4(0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb);
  let e = i32x4(0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de);
  let f = i32x4(0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4);
  let g = i32x4(0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e);
  let h = i32x4(0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756);
  for (let row = at; row < at + pageBytes; row += ROW_BYTES) {
    a = mix(a, v128.load(row));
    b = mix(b, v128.load(row, 16));
    c = mix(c, v128.load(row, 32));
    d = mix(d, v128.load(row, 48));
    e = mix(e, v128.load(row, 64));
    f = mix(f, v128.load(row, 80));
    g = mix(g, v128.load(row, 96));
    h = mix(h, v128.load(row, 112));
  }
  store<u16>(at, stored, 8);
  const sum = v128.xor(
    v128.xor(v128.xor(twice(a), twice(b)), v128.xor(twice(c), twice(d))),
    v128.xor(v128.xor(twice(e), twice(f)), v128.xor(twice(g), twice(h))),
  );
  const folded =
    v128.extract_lane<u32>(sum, 0) ^
    v128.extract_lane<u32>(sum, 1) ^
    v128.extract_lane<u32>(sum, 2) ^
    v128.extract_lane<u32>(sum, 3);
  return ((folded ^ block) % 65535) + 1;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function mix(lanes: v128, words: v128): v128 {
  const mixed = v128.xor(lanes, words);
  return v128.xor(i32x4.mul(mixed, i32x4.splat(PRIME)), i32x4.shr_u(mixed, 17));
}

// @ts-ignore: decorator of AssemblyScript
@inline
function twice(lanes: v128): v128 {
  const zero = i32x4.splat(0);
  return mix(mix(lanes, zero), zero);
}
