/**
 * AssemblyScript. The part of scrypt that takes its time and memory (ROMix; RFC 7914, section 5), for two of its p lanes
 * at once: each step of one waits for the step before, and the other's steps fit into that time.
 * Memory: the 128 · r bytes of either lane lie at 0, before and after; behind them as many to mix in, then the N blocks
 * of one and of the other. Within 64 bytes the words lie by the diagonals of Salsa20's square, so that a vector is what
 * is added at once.
 */
const CELL_BYTES: usize = 64;
const CELL_WORDS: usize = 16;
const ROUNDS: i32 = 8;

/** To be called in this order: `spread`, `fill` for all of 1 to n, `choose` for all of n, `gather`. */
export function spread(n: usize, r: usize): void {
  const blockBytes: usize = 128 * r;
  const blocks: usize = 4 * blockBytes;
  toDiagonals(0, blocks, blockBytes);
  toDiagonals(blockBytes, blocks + n * blockBytes, blockBytes);
}

/** Each of so many blocks from `first` from the one before it. The n-th is no block: mixing goes on with it. */
export function fill(n: usize, r: usize, first: usize, count: usize): void {
  const blockBytes: usize = 128 * r;
  const pairBytes: usize = 2 * blockBytes;
  const blocks: usize = 2 * pairBytes;
  const gap = n * blockBytes;
  for (let number = first; number < first + count; number++) {
    const block = blocks + number * blockBytes;
    const before = block - blockBytes;
    const to: usize = number < n ? block : pairBytes;
    const otherTo: usize = number < n ? block + gap : pairBytes + blockBytes;
    mixBlocks(before, 0, to, before + gap, 0, otherTo, r, false);
  }
}

/** Mixes so often, an even number, with what the mixture itself chooses of the blocks. `n` is a power of two. */
export function choose(n: usize, r: usize, count: usize): void {
  const pairBytes: usize = 256 * r;
  for (let time: usize = 0; time < count; time += 2) {
    mixChosen(pairBytes, 0, n, r);
    mixChosen(0, pairBytes, n, r);
  }
}

export function gather(r: usize): void {
  const pairBytes: usize = 256 * r;
  fromDiagonals(pairBytes, 0, pairBytes);
}

/** Each lane at `from` with the one of its blocks that its last cell names. */
// @ts-ignore: decorator of AssemblyScript
@inline
function mixChosen(from: usize, to: usize, n: usize, r: usize): void {
  const blockBytes: usize = 128 * r;
  const blocks: usize = 4 * blockBytes;
  const chooser = from + blockBytes - CELL_BYTES;
  const block = blocks + (<usize>load<u32>(chooser) & (n - 1)) * blockBytes;
  const otherBlock = blocks + (n + (<usize>load<u32>(chooser + blockBytes) & (n - 1))) * blockBytes;
  mixBlocks(from, block, to, from + blockBytes, otherBlock, to + blockBytes, r, true);
}

/** BlockMix of `from`, or of what it and `by` differ in, to a third place; and the same of the other lane. */
// @ts-ignore: decorator of AssemblyScript
@inline
function mixBlocks(
  from: usize,
  by: usize,
  to: usize,
  otherFrom: usize,
  otherBy: usize,
  otherTo: usize,
  r: usize,
  differs: bool,
): void {
  const cells: usize = 2 * r;
  const lastCell = (cells - 1) * CELL_BYTES;
  let a = row(from + lastCell, by + lastCell, 0, differs);
  let b = row(from + lastCell, by + lastCell, 16, differs);
  let c = row(from + lastCell, by + lastCell, 32, differs);
  let d = row(from + lastCell, by + lastCell, 48, differs);
  let e = row(otherFrom + lastCell, otherBy + lastCell, 0, differs);
  let f = row(otherFrom + lastCell, otherBy + lastCell, 16, differs);
  let g = row(otherFrom + lastCell, otherBy + lastCell, 32, differs);
  let h = row(otherFrom + lastCell, otherBy + lastCell, 48, differs);
  for (let cell: usize = 0; cell < cells; cell++) {
    const at = cell * CELL_BYTES;
    a = v128.xor(a, row(from + at, by + at, 0, differs));
    e = v128.xor(e, row(otherFrom + at, otherBy + at, 0, differs));
    b = v128.xor(b, row(from + at, by + at, 16, differs));
    f = v128.xor(f, row(otherFrom + at, otherBy + at, 16, differs));
    c = v128.xor(c, row(from + at, by + at, 32, differs));
    g = v128.xor(g, row(otherFrom + at, otherBy + at, 32, differs));
    d = v128.xor(d, row(from + at, by + at, 48, differs));
    h = v128.xor(h, row(otherFrom + at, otherBy + at, 48, differs));
    const a0 = a;
    const e0 = e;
    const b0 = b;
    const f0 = f;
    const c0 = c;
    const g0 = g;
    const d0 = d;
    const h0 = h;
    for (let round = 0; round < ROUNDS; round += 2) {
      b = v128.xor(b, rotated(i32x4.add(a, d), 7));
      f = v128.xor(f, rotated(i32x4.add(e, h), 7));
      c = v128.xor(c, rotated(i32x4.add(b, a), 9));
      g = v128.xor(g, rotated(i32x4.add(f, e), 9));
      d = v128.xor(d, rotated(i32x4.add(c, b), 13));
      h = v128.xor(h, rotated(i32x4.add(g, f), 13));
      a = v128.xor(a, rotated(i32x4.add(d, c), 18));
      e = v128.xor(e, rotated(i32x4.add(h, g), 18));
      b = v128.shuffle<i32>(b, b, 3, 0, 1, 2);
      f = v128.shuffle<i32>(f, f, 3, 0, 1, 2);
      c = v128.shuffle<i32>(c, c, 2, 3, 0, 1);
      g = v128.shuffle<i32>(g, g, 2, 3, 0, 1);
      d = v128.shuffle<i32>(d, d, 1, 2, 3, 0);
      h = v128.shuffle<i32>(h, h, 1, 2, 3, 0);
      d = v128.xor(d, rotated(i32x4.add(a, b), 7));
      h = v128.xor(h, rotated(i32x4.add(e, f), 7));
      c = v128.xor(c, rotated(i32x4.add(d, a), 9));
      g = v128.xor(g, rotated(i32x4.add(h, e), 9));
      b = v128.xor(b, rotated(i32x4.add(c, d), 13));
      f = v128.xor(f, rotated(i32x4.add(g, h), 13));
      a = v128.xor(a, rotated(i32x4.add(b, c), 18));
      e = v128.xor(e, rotated(i32x4.add(f, g), 18));
      b = v128.shuffle<i32>(b, b, 1, 2, 3, 0);
      f = v128.shuffle<i32>(f, f, 1, 2, 3, 0);
      c = v128.shuffle<i32>(c, c, 2, 3, 0, 1);
      g = v128.shuffle<i32>(g, g, 2, 3, 0, 1);
      d = v128.shuffle<i32>(d, d, 3, 0, 1, 2);
      h = v128.shuffle<i32>(h, h, 3, 0, 1, 2);
    }
    // Even cells become the first half, odd ones the second.
    const place = ((cell >> 1) + (cell & 1) * r) * CELL_BYTES;
    a = i32x4.add(a, a0);
    v128.store(to + place, a, 0);
    e = i32x4.add(e, e0);
    v128.store(otherTo + place, e, 0);
    b = i32x4.add(b, b0);
    v128.store(to + place, b, 16);
    f = i32x4.add(f, f0);
    v128.store(otherTo + place, f, 16);
    c = i32x4.add(c, c0);
    v128.store(to + place, c, 32);
    g = i32x4.add(g, g0);
    v128.store(otherTo + place, g, 32);
    d = i32x4.add(d, d0);
    v128.store(to + place, d, 48);
    h = i32x4.add(h, h0);
    v128.store(otherTo + place, h, 48);
  }
}

// @ts-ignore: decorator of AssemblyScript
@inline
function row(from: usize, by: usize, at: usize, differs: bool): v128 {
  const own = v128.load(from + at);
  return differs ? v128.xor(own, v128.load(by + at)) : own;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function rotated(words: v128, bits: i32): v128 {
  return v128.or(i32x4.shl(words, bits), i32x4.shr_u(words, 32 - bits));
}

function toDiagonals(from: usize, to: usize, bytes: usize): void {
  for (let cell: usize = 0; cell < bytes; cell += CELL_BYTES) {
    for (let word: usize = 0; word < CELL_WORDS; word++) {
      store<u32>(to + cell + (word << 2), load<u32>(from + cell + (((word * 5) & 15) << 2)));
    }
  }
}

function fromDiagonals(from: usize, to: usize, bytes: usize): void {
  for (let cell: usize = 0; cell < bytes; cell += CELL_BYTES) {
    for (let word: usize = 0; word < CELL_WORDS; word++) {
      store<u32>(to + cell + (((word * 5) & 15) << 2), load<u32>(from + cell + (word << 2)));
    }
  }
}
