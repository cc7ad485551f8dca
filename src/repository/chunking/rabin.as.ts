/**
 * AssemblyScript. The inner loop of restic's chunker: a Rabin fingerprint of the last 64 bytes (M. O. Rabin,
 * "Fingerprinting by Random Polynomials", 1981), modulo a polynomial of degree 53.
 * Memory: at 0 what a byte adds to the fingerprint when it leaves the window, at 2048 what its overflow is reduced by (256
 * values of 64 bits each); the bytes to cut lie wherever the caller put them above.
 */
const WINDOW: usize = 64;
const REDUCTIONS: usize = 2048;
const OVERFLOW_SHIFT: u64 = 45;

/**
 * The first place from `from` on where a chunk of the bytes may end, seen from `from` to `end`; 0 where there is none.
 * At least 64 bytes lie before `from`.
 */
export function findRabinCut(from: usize, end: usize, mask: u64): usize {
  let print: u64 = 0;
  for (let at: usize = from - WINDOW; at < from; at++) print = append(print, at);
  if ((print & mask) == 0) return from;
  for (let at = from; at < end; at++) {
    print = append(print ^ load<u64>(<usize>load<u8>(at - WINDOW) << 3), at);
    if ((print & mask) == 0) return at + 1;
  }
  return 0;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function append(print: u64, at: usize): u64 {
  const overflow = <usize>(print >> OVERFLOW_SHIFT);
  return ((print << 8) | <u64>load<u8>(at)) ^ load<u64>(REDUCTIONS + (overflow << 3));
}
