/**
 * AssemblyScript. The inner loop of content-defined chunking: a gear hash, whose 64 bits are a function of the last 64
 * bytes alone (Xia et al., "FastCDC: a Fast and Efficient Content-Defined Chunking Approach", 2016).
 * Memory: the table of 256 random 64-bit values lies at 0; the bytes to cut lie wherever the caller put them above.
 */
const WINDOW: usize = 64;

/**
 * The first place after `from` where a chunk of the bytes at `start` may end, seen from `from` to `end`; 0 where there
 * is none. `from` is at least `start` + 64. Before `normal` the stricter mask applies: chunks gather round that size.
 */
export function findCut(
  start: usize,
  from: usize,
  end: usize,
  normal: usize,
  strictMask: u64,
  looseMask: u64,
): usize {
  let hash: u64 = 0;
  for (let at: usize = from - WINDOW; at < from; at++) hash = roll(hash, at);
  let at = from;
  const turn = min(max(start + normal, from), end);
  for (; at < turn; at++) {
    hash = roll(hash, at);
    if ((hash & strictMask) == 0) return at + 1;
  }
  for (; at < end; at++) {
    hash = roll(hash, at);
    if ((hash & looseMask) == 0) return at + 1;
  }
  return 0;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function roll(hash: u64, at: usize): u64 {
  return (hash << 1) + load<u64>(<usize>load<u8>(at) << 3);
}
