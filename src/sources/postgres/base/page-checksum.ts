/**
 * The checksum of a Postgres data page (PostgreSQL: storage/checksum_impl.h): 32 interleaved FNV-1a-like sums over the
 * page with the checksum field taken as zero, folded with the block number.
 */
const LANES = 32;
const PRIME = 16777619;
const CHECKSUM_AT = 8;

/** Where each lane starts, as the algorithm fixes it. */
const OFFSETS = Int32Array.of(
  0x5b1f36e9,
  0xb8525960,
  0x02ab50aa,
  0x1de66d2a,
  0x79ff467a,
  0x9bb9f8a3,
  0x217e7cd2,
  0x83e13d2c,
  0xf8d4474f,
  0xe39eb970,
  0x42c6ae16,
  0x993216fa,
  0x7b093b5d,
  0x98daff3c,
  0xf718902a,
  0x0b1c9cdb,
  0xe58f764b,
  0x187636bc,
  0x5d7b3bb1,
  0xe73de7de,
  0x92bec979,
  0xcca6c0b2,
  0x304a0979,
  0x85aa43d4,
  0x783125bb,
  0x6ca8eaa2,
  0xe407eac6,
  0x4b5cfc3e,
  0x9fbf8c76,
  0x15ca20be,
  0xf2ca9fd3,
  0x959bd756,
);

const lanes = new Int32Array(LANES);

/** A page among 32-bit little-endian words: where it begins and its length, a multiple of 32, in words. */
export type PageWords = { words: Int32Array; at: number; lengthWords: number };

export function pageChecksum(
  { words, at: begin, lengthWords }: PageWords,
  blockNumber: number,
): number {
  lanes.set(OFFSETS);
  const checksumWord = begin + CHECKSUM_AT / 4;
  for (let at = begin; at < begin + lengthWords; at += LANES) {
    for (let lane = 0; lane < LANES; lane += 1) {
      let value = words[at + lane] as number;
      // The checksum is the lower half of its word.
      if (at + lane === checksumWord) value &= 0xffff0000;
      const mixed = (lanes[lane] as number) ^ value;
      lanes[lane] = Math.imul(mixed, PRIME) ^ (mixed >>> 17);
    }
  }
  let result = 0;
  for (let lane = 0; lane < LANES; lane += 1) {
    let sum = lanes[lane] as number;
    sum = Math.imul(sum, PRIME) ^ (sum >>> 17);
    sum = Math.imul(sum, PRIME) ^ (sum >>> 17);
    result ^= sum;
  }
  return (((result ^ blockNumber) >>> 0) % 65535) + 1;
}

/** `new`: never written, all is well. `newer`: written since `startLsn`, so WAL replay brings it anew. */
export type PageVerdict = 'good' | 'new' | 'newer' | 'bad';

/** Judges a page as pg_basebackup's server side does. */
export function judgePage(
  page: PageWords,
  blockNumber: number,
  startHigh: number,
  startLow: number,
): PageVerdict {
  const { words, at } = page;
  // pd_upper is the upper half of the word at 12..15: zero on a page that was never initialised.
  if ((words[at + 3] as number) >>> 16 === 0) return 'new';
  const high = (words[at] as number) >>> 0;
  const low = (words[at + 1] as number) >>> 0;
  if (high > startHigh || (high === startHigh && low >= startLow)) return 'newer';
  const stored = (words[at + 2] as number) & 0xffff;
  return pageChecksum(page, blockNumber) === stored ? 'good' : 'bad';
}
