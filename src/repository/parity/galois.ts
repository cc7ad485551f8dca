/** Arithmetic in GF(2^8) with the polynomial x^8+x^4+x^3+x^2+1, for coefficients; bytes are multiplied in WebAssembly. */

const POLYNOMIAL = 0x11d;
const ORDER = 255;

const powers = new Uint8Array(2 * ORDER);
const logarithms = new Uint8Array(256);

for (let exponent = 0, value = 1; exponent < ORDER; exponent += 1) {
  powers[exponent] = value;
  powers[exponent + ORDER] = value;
  logarithms[value] = exponent;
  value <<= 1;
  if (value & 0x100) value ^= POLYNOMIAL;
}

export function multiply(a: number, b: number): number {
  if (a === 0 || b === 0) return 0;
  return powers[(logarithms[a] as number) + (logarithms[b] as number)] as number;
}

/** `a` isn't 0. */
export function invert(a: number): number {
  return powers[ORDER - (logarithms[a] as number)] as number;
}

/**
 * The coefficient of a parity row for a column: a Cauchy matrix, of which every square part can be inverted, so that any
 * so many lost columns come back from as many rows. `row` + `column` + 1 is at most 255.
 */
export function coefficient(row: number, column: number): number {
  return invert(row ^ (ORDER - column));
}

/** The inverse of the coefficients of these rows for these columns (as many), row by row. */
export function invertCoefficients(
  rows: readonly number[],
  columns: readonly number[],
): Uint8Array[] {
  const size = rows.length;
  const matrix = rows.map((row, i) => {
    const line = new Uint8Array(2 * size);
    columns.forEach((column, j) => {
      line[j] = coefficient(row, column);
    });
    line[size + i] = 1;
    return line;
  });
  for (let pivot = 0; pivot < size; pivot += 1) {
    const at = matrix.findIndex((line, i) => i >= pivot && line[pivot] !== 0);
    const line = matrix[at] as Uint8Array<ArrayBuffer>;
    matrix[at] = matrix[pivot] as Uint8Array<ArrayBuffer>;
    matrix[pivot] = line;
    const scale = invert(line[pivot] as number);
    for (let j = 0; j < 2 * size; j += 1) line[j] = multiply(line[j] as number, scale);
    for (const [i, other] of matrix.entries()) {
      const factor = other[pivot] as number;
      if (i === pivot || factor === 0) continue;
      for (let j = 0; j < 2 * size; j += 1) {
        other[j] = (other[j] as number) ^ multiply(factor, line[j] as number);
      }
    }
  }
  return matrix.map((line) => line.subarray(size));
}
