/**
 * AssemblyScript. The inner loop of Reed–Solomon over GF(2^8): rows += coefficients × bytes, sixteen bytes at a time by
 * looking up both halves of each byte (Plank, Greenan, Miller: "Screaming Fast Galois Field Arithmetic Using Intel SIMD
 * Instructions", 2013).
 * Memory: at 0 the products of each of the 256 coefficients, 16 with low halves and 16 with high ones; the rest lies
 * wherever the caller puts it above.
 */

/**
 * For each row r: the `length` bytes at `target` + r × `stride` ^= the coefficient at `coefficients` + r × the bytes at
 * `source`. `length` is a multiple of 16.
 */
export function addProducts(
  target: usize,
  stride: usize,
  rows: i32,
  source: usize,
  length: usize,
  coefficients: usize,
): void {
  const mask = i8x16.splat(15);
  let row = 0;
  for (; row + 1 < rows; row += 2) {
    const first: usize = <usize>load<u8>(coefficients + row) << 5;
    const second: usize = <usize>load<u8>(coefficients + row + 1) << 5;
    const firstLow = v128.load(first);
    const firstHigh = v128.load(first + 16);
    const secondLow = v128.load(second);
    const secondHigh = v128.load(second + 16);
    let to = target + <usize>row * stride;
    for (let at: usize = 0; at < length; at += 16, to += 16) {
      const bytes = v128.load(source + at);
      const low = v128.and(bytes, mask);
      const high = i8x16.shr_u(bytes, 4);
      const one = v128.xor(v128.swizzle(firstLow, low), v128.swizzle(firstHigh, high));
      const two = v128.xor(v128.swizzle(secondLow, low), v128.swizzle(secondHigh, high));
      v128.store(to, v128.xor(v128.load(to), one));
      v128.store(to + stride, v128.xor(v128.load(to + stride), two));
    }
  }
  if (row < rows) {
    const only: usize = <usize>load<u8>(coefficients + row) << 5;
    const onlyLow = v128.load(only);
    const onlyHigh = v128.load(only + 16);
    let to = target + <usize>row * stride;
    for (let at: usize = 0; at < length; at += 16, to += 16) {
      const bytes = v128.load(source + at);
      const low = v128.swizzle(onlyLow, v128.and(bytes, mask));
      const high = v128.swizzle(onlyHigh, i8x16.shr_u(bytes, 4));
      v128.store(to, v128.xor(v128.load(to), v128.xor(low, high)));
    }
  }
}
