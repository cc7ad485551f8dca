/** Polynomials over GF(2) as bit patterns: each repository has its own, so that chunk sizes don't tell its content. */
import { randomBytes } from '#base';

const DEGREE = 53;

/** A random irreducible polynomial of degree 53, in hex. One in about 27 odd candidates is irreducible. */
export function newPolynomial(): string {
  for (;;) {
    const low = randomBytes(8).readBigUInt64LE() & ((1n << BigInt(DEGREE)) - 1n);
    const candidate = low | (1n << BigInt(DEGREE)) | 1n;
    if (isIrreducible(candidate)) return candidate.toString(16);
  }
}

/**
 * f of degree 53 divides x^(2^53) - x exactly if it is a product of different irreducible polynomials whose degrees
 * divide 53: of degree 1 or of degree 53 itself (Rabin's test; 53 is prime). So without a root it is irreducible.
 */
export function isIrreducible(f: bigint): boolean {
  if (degree(f) !== DEGREE || hasRoot(f)) return false;
  let power = 2n;
  for (let i = 0; i < DEGREE; i += 1) power = remainder(square(power), f);
  return power === 2n;
}

/** 0 is a root without a constant term, 1 where the number of terms is even. */
function hasRoot(f: bigint): boolean {
  let terms = 0;
  for (let rest = f; rest > 0n; rest >>= 1n) terms += Number(rest & 1n);
  return (f & 1n) === 0n || terms % 2 === 0;
}

function square(a: bigint): bigint {
  let product = 0n;
  for (let bit = 0n; a >> bit > 0n; bit += 1n) {
    if ((a >> bit) & 1n) product |= 1n << (2n * bit);
  }
  return product;
}

export function remainder(a: bigint, modulus: bigint): bigint {
  let rest = a;
  const width = degree(modulus);
  for (let d = degree(rest); d >= width; d = degree(rest)) rest ^= modulus << BigInt(d - width);
  return rest;
}

export function degree(a: bigint): number {
  return a === 0n ? -1 : a.toString(2).length - 1;
}
