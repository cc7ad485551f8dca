/**
 * AssemblyScript. What is done with every byte of a base backup: CRC-32C and the checksums of its pages.
 * Memory: the tables that `makeTables` writes lie at 0; content lies above, where the caller put it.
 */
const POLYNOMIAL: u32 = 0x82f63b78;
const TABLE_BYTES: usize = 1024;
/** 32 lanes of four bytes. */
const ROW_BYTES: usize = 128;
const PRIME: u32 = 16777619;

/** Four tables of 256 numbers: what a byte that lies so many bytes before the end does to the checksum. */
export function makeTables(): void {
  for (let value: u32 = 0; value < 256; value++) {
    let crc = value;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ POLYNOMIAL : crc >> 1;
    store<u32>(value << 2, crc);
  }
  for (let at: usize = TABLE_BYTES; at < 4 * TABLE_BYTES; at += 4) {
    const before = load<u32>(at - TABLE_BYTES);
    store<u32>(at, load<u32>((before & 255) << 2) ^ (before >> 8));
  }
  makeFoldTables();
}

/** A stride is what is taken at once: two vectors. */
const STRIDE_BYTES: usize = 32;
/** Behind those tables: for each of the four bytes of what a stride's byte does, by its low and its high half. */
const FOLD_TABLES: usize = 4 * TABLE_BYTES;
/** Where the last stride is laid down. */
const LAST_STRIDE: usize = FOLD_TABLES + 8 * 16;

function makeFoldTables(): void {
  for (let half: u32 = 0; half < 16; half++) {
    let low = half;
    let high = half << 4;
    for (let count: usize = 0; count < STRIDE_BYTES; count++) {
      low = load<u32>((low & 255) << 2) ^ (low >> 8);
      high = load<u32>((high & 255) << 2) ^ (high >> 8);
    }
    for (let byte: u32 = 0; byte < 4; byte++) {
      store<u8>(FOLD_TABLES + (byte << 5) + half, (low >> (byte << 3)) as u8);
      store<u8>(FOLD_TABLES + (byte << 5) + 16 + half, (high >> (byte << 3)) as u8);
    }
  }
}

/** Where `spread` keeps its last 256 vectors, and behind them the first three again. */
const RING: usize = 8 * 1024;
const RING_BYTES: usize = 4096;
const GROUP_BYTES: usize = 64;
/** Where it leaves what hasn't been spread. */
const REST: usize = 16 * 1024;
/** How many vectors further on a vector may be put, at all of these places at once, with the same checksum. */
const NEAREST: usize = 65 * 16;
const SECOND: usize = 155 * 16;
const THIRD: usize = 170 * 16;
const FOURTH: usize = 195 * 16;
const FURTHEST: usize = 209 * 16;
/** Below this it isn't worth it. */
const LEAST_SPREAD_BYTES: usize = 8 * 1024;

/** Takes the bytes from `at` to `end` into a state; they are written to for a moment, and at the end as before. */
export function crc32c(state: u32, at: usize, end: usize): u32 {
  if (at + LEAST_SPREAD_BYTES > end) return crc32cByFolding(state, at, end);
  const first = load<u32>(at);
  store<u32>(at, first ^ state);
  const vectorsEnd = end - ((end - at) & 15);
  const spreadEnd = vectorsEnd - FURTHEST - ((vectorsEnd - at - FURTHEST) & (GROUP_BYTES - 1));
  spread(at, spreadEnd);
  memory.copy(REST, spreadEnd, vectorsEnd - spreadEnd);
  const spreadBytes = spreadEnd - at;
  reach(spreadBytes, NEAREST);
  reach(spreadBytes, SECOND);
  reach(spreadBytes, THIRD);
  reach(spreadBytes, FOURTH);
  reach(spreadBytes, FURTHEST);
  store<u32>(at, first);
  return crc32cByTables(crc32cByFolding(0, REST, REST + (vectorsEnd - spreadEnd)), vectorsEnd, end);
}

/**
 * The polynomial has a multiple of six terms that are vectors apart: x^(128 * n) for 209, 144, 54, 39, 14 and 0. By it a
 * vector does the same to the checksum where it stands as where it is added to five others further on: that is done
 * with each in its turn, until some 209 are left. The last 256 sums are in the ring then. (After Russell, "Chorba: A
 * Novel CRC32 Implementation", 2024, which is for the polynomial of zip.)
 */
function spread(at: usize, end: usize): void {
  memory.fill(RING, 0, RING_BYTES + GROUP_BYTES);
  for (let place: usize = 0; at < end; at += GROUP_BYTES) {
    const from1 = RING + ((place - NEAREST) & (RING_BYTES - 1));
    const from2 = RING + ((place - SECOND) & (RING_BYTES - 1));
    const from3 = RING + ((place - THIRD) & (RING_BYTES - 1));
    const from4 = RING + ((place - FOURTH) & (RING_BYTES - 1));
    const from5 = RING + ((place - FURTHEST) & (RING_BYTES - 1));
    const a = sum(v128.load(at), v128.load(from1), v128.load(from2), v128.load(from3), v128.load(from4), v128.load(from5));
    const b = sum(v128.load(at, 16), v128.load(from1, 16), v128.load(from2, 16), v128.load(from3, 16), v128.load(from4, 16), v128.load(from5, 16));
    const c = sum(v128.load(at, 32), v128.load(from1, 32), v128.load(from2, 32), v128.load(from3, 32), v128.load(from4, 32), v128.load(from5, 32));
    const d = sum(v128.load(at, 48), v128.load(from1, 48), v128.load(from2, 48), v128.load(from3, 48), v128.load(from4, 48), v128.load(from5, 48));
    const to = RING + place;
    v128.store(to, a);
    v128.store(to, b, 16);
    v128.store(to, c, 32);
    v128.store(to, d, 48);
    // Read on without a break where four vectors lie across the ring's end.
    if (place == 0) {
      v128.store(RING + RING_BYTES, a);
      v128.store(RING + RING_BYTES, b, 16);
      v128.store(RING + RING_BYTES, c, 32);
    }
    place = (place + GROUP_BYTES) & (RING_BYTES - 1);
  }
}

// @ts-ignore: decorator of AssemblyScript
@inline
function sum(a: v128, b: v128, c: v128, d: v128, e: v128, f: v128): v128 {
  return v128.xor(v128.xor(v128.xor(a, b), v128.xor(c, d)), v128.xor(e, f));
}

/** Adds to the rest what the vectors before it, of which there were so many bytes, do at this distance. */
function reach(spreadBytes: usize, distance: usize): void {
  for (let at: usize = 0; at < distance; at += 16) {
    const from = RING + ((spreadBytes + at - distance) & (RING_BYTES - 1));
    v128.store(REST + at, v128.xor(v128.load(REST + at), v128.load(from)));
  }
}

/**
 * A byte does the same to the checksum as four others a stride later, which follow from its two halves by tables of
 * sixteen bytes: so a stride is folded into the next one, sixteen bytes by each instruction, until one is left. (After
 * Gopal and others, "Fast CRC Computation Using PCLMULQDQ", 2009, with shuffles in the place of multiplications, which
 * WebAssembly hasn't. The relaxed ones spare an instruction each, and differ only where an index is sixteen or more: a
 * half never is.)
 */
function crc32cByFolding(state: u32, at: usize, end: usize): u32 {
  if (at + 2 * STRIDE_BYTES > end) return crc32cByTables(state, at, end);
  const low0 = v128.load(FOLD_TABLES);
  const high0 = v128.load(FOLD_TABLES, 16);
  const low1 = v128.load(FOLD_TABLES, 32);
  const high1 = v128.load(FOLD_TABLES, 48);
  const low2 = v128.load(FOLD_TABLES, 64);
  const high2 = v128.load(FOLD_TABLES, 80);
  const low3 = v128.load(FOLD_TABLES, 96);
  const high3 = v128.load(FOLD_TABLES, 112);
  let a = v128.xor(v128.load(at), i32x4.replace_lane(i32x4.splat(0), 0, state));
  let b = v128.load(at, 16);
  // What the vector before does, of which the last bytes reach into the next one.
  let before1 = i32x4.splat(0);
  let before2 = i32x4.splat(0);
  let before3 = i32x4.splat(0);
  for (at += STRIDE_BYTES; at + STRIDE_BYTES <= end; at += STRIDE_BYTES) {
    let low = lowHalves(a);
    let high = highHalves(a);
    const a1 = v128.xor(i8x16.relaxed_swizzle(low1, low), i8x16.relaxed_swizzle(high1, high));
    const a2 = v128.xor(i8x16.relaxed_swizzle(low2, low), i8x16.relaxed_swizzle(high2, high));
    const a3 = v128.xor(i8x16.relaxed_swizzle(low3, low), i8x16.relaxed_swizzle(high3, high));
    a = v128.xor(v128.load(at), v128.xor(i8x16.relaxed_swizzle(low0, low), i8x16.relaxed_swizzle(high0, high)));
    a = v128.xor(a, v128.xor(v128.xor(after1(before1, a1), after2(before2, a2)), after3(before3, a3)));
    low = lowHalves(b);
    high = highHalves(b);
    before1 = v128.xor(i8x16.relaxed_swizzle(low1, low), i8x16.relaxed_swizzle(high1, high));
    before2 = v128.xor(i8x16.relaxed_swizzle(low2, low), i8x16.relaxed_swizzle(high2, high));
    before3 = v128.xor(i8x16.relaxed_swizzle(low3, low), i8x16.relaxed_swizzle(high3, high));
    b = v128.xor(v128.load(at, 16), v128.xor(i8x16.relaxed_swizzle(low0, low), i8x16.relaxed_swizzle(high0, high)));
    b = v128.xor(b, v128.xor(v128.xor(after1(a1, before1), after2(a2, before2)), after3(a3, before3)));
  }
  v128.store(LAST_STRIDE, a);
  v128.store(LAST_STRIDE, b, 16);
  const zero = i32x4.splat(0);
  const reaching = v128.xor(
    v128.xor(after1(before1, zero), after2(before2, zero)),
    after3(before3, zero),
  );
  const folded = crc32cByTables(0, LAST_STRIDE, LAST_STRIDE + STRIDE_BYTES);
  return crc32cByTables(folded ^ i32x4.extract_lane(reaching, 0), at, end);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function lowHalves(bytes: v128): v128 {
  return v128.and(bytes, i8x16.splat(15));
}

// @ts-ignore: decorator of AssemblyScript
@inline
function highHalves(bytes: v128): v128 {
  return v128.and(i16x8.shr_u(bytes, 4), i8x16.splat(15));
}

/** Moved on by one byte: the last of the vector before comes first. */
// @ts-ignore: decorator of AssemblyScript
@inline
function after1(before: v128, bytes: v128): v128 {
  return i8x16.shuffle(before, bytes, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function after2(before: v128, bytes: v128): v128 {
  return i8x16.shuffle(before, bytes, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function after3(before: v128, bytes: v128): v128 {
  return i8x16.shuffle(before, bytes, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28);
}

/** Four bytes a step, each through the table of its distance from their end (Kounavis and Berry, "slicing"). */
function crc32cByTables(state: u32, at: usize, end: usize): u32 {
  let crc = state;
  for (; at + 4 <= end; at += 4) {
    crc ^= load<u32>(at);
    crc =
      load<u32>((crc & 255) << 2, 0xc00) ^
      load<u32>(((crc >> 8) & 255) << 2, 0x800) ^
      load<u32>(((crc >> 16) & 255) << 2, 0x400) ^
      load<u32>((crc >> 24) << 2);
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
