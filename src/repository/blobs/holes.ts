/** Finds long runs of zeros, which needn't be written: the file keeps a hole there and reads the same. */

// Shorter runs cost more in extents than they save; file systems allocate in blocks of 4 KiB.
const WINDOW_BYTES = 16 * 1024;
const ZEROS = Buffer.alloc(WINDOW_BYTES);

export function isAllZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += WINDOW_BYTES) {
    if (!isZeroWindow(bytes, at, Math.min(at + WINDOW_BYTES, bytes.length))) return false;
  }
  return true;
}

/** The parts of `bytes`, which lie at `fileOffset`, that must be written: everything but whole windows of zeros. */
export function* partsToWrite(
  bytes: Buffer,
  fileOffset: number,
): Generator<{ start: number; end: number }> {
  let start = 0;
  let at = (WINDOW_BYTES - (fileOffset % WINDOW_BYTES)) % WINDOW_BYTES;
  for (; at + WINDOW_BYTES <= bytes.length; at += WINDOW_BYTES) {
    if (!isZeroWindow(bytes, at, at + WINDOW_BYTES)) continue;
    if (at > start) yield { start, end: at };
    start = at + WINDOW_BYTES;
  }
  if (start < bytes.length) yield { start, end: bytes.length };
}

function isZeroWindow(bytes: Buffer, start: number, end: number): boolean {
  // Nearly every window that isn't zero says so in its first or last byte.
  if (bytes[start] !== 0 || bytes[end - 1] !== 0) return false;
  return bytes.compare(ZEROS, 0, end - start, start, end) === 0;
}
