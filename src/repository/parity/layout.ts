/**
 * How a pack is cut for its parity. It is a row of sectors, dealt out to stripes in turn, so that neighbours lie in
 * different stripes: a burst, or a tail that is cut off, takes only a few of each. Each stripe has some sectors of
 * parity, and brings back as many of its own as it has of those.
 */
export type ParityLayout = {
  packBytes: number;
  sectorBytes: number;
  /** Sectors of the pack; the last one is filled up with zeros. */
  sectors: number;
  stripes: number;
  /** Sectors of parity in each stripe. */
  rows: number;
};

/** What GF(2^8) can hold in one stripe: columns and rows together. */
const MAX_COLUMNS_AND_ROWS = 255;
const MAX_SECTOR_BYTES = 4096;
const MIN_SECTOR_BYTES = 128;
/** Sectors are a multiple of this, for sixteen bytes are worked on at a time. */
const LANE_BYTES = 16;
/** Small packs too survive two places of damage. */
const MIN_ROWS = 2;

/** What is added to the bytes of a pack, at least: less makes no row. */
export const MIN_OVERHEAD = 0.01;
export const MAX_OVERHEAD = 0.5;
export const DEFAULT_OVERHEAD = 0.03;

/** Checksums, which locate damage, twice. */
const LOCATING_OVERHEAD = 0.002;

/** `overhead`: bytes of parity as a fraction of the pack's, with the checksums. */
export function layoutFor(packBytes: number, overhead = DEFAULT_OVERHEAD): ParityLayout {
  const parityShare = Math.max(overhead - LOCATING_OVERHEAD, MIN_OVERHEAD / 2);
  const mostRows = Math.max(
    MIN_ROWS,
    Math.floor((MAX_COLUMNS_AND_ROWS * parityShare) / (1 + parityShare)),
  );
  const mostColumns = Math.min(MAX_COLUMNS_AND_ROWS - mostRows, Math.ceil(mostRows / parityShare));
  const wanted = Math.ceil(packBytes / mostColumns / LANE_BYTES) * LANE_BYTES;
  const sectorBytes = Math.min(Math.max(wanted, MIN_SECTOR_BYTES), MAX_SECTOR_BYTES);
  const sectors = Math.ceil(packBytes / sectorBytes);
  const stripes = Math.ceil(sectors / mostColumns);
  const columns = Math.ceil(sectors / stripes);
  const rows = Math.min(Math.max(Math.round(columns * parityShare), MIN_ROWS), mostRows);
  return { packBytes, sectorBytes, sectors, stripes, rows };
}

/** False for numbers that no pack has: a sidecar may come from anybody. */
export function isSoundLayout(layout: ParityLayout, maxPackBytes: number): boolean {
  const { packBytes, sectorBytes, sectors, stripes, rows } = layout;
  return (
    packBytes > 0 &&
    packBytes <= maxPackBytes &&
    sectorBytes >= LANE_BYTES &&
    sectorBytes % LANE_BYTES === 0 &&
    sectorBytes <= MAX_SECTOR_BYTES &&
    sectors === Math.ceil(packBytes / sectorBytes) &&
    stripes > 0 &&
    stripes <= sectors &&
    rows > 0 &&
    Math.ceil(sectors / stripes) + rows <= MAX_COLUMNS_AND_ROWS
  );
}

export function stripeOf(layout: ParityLayout, sector: number): number {
  return sector % layout.stripes;
}

export function columnOf(layout: ParityLayout, sector: number): number {
  return Math.floor(sector / layout.stripes);
}
