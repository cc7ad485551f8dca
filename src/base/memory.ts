import { libcFunction } from './posix/libc.ts';

/**
 * Frees the memory at once, which the garbage collector does only when some 64 MiB of such memory have gathered.
 * Whatever looks into it is empty afterwards.
 */
export function freeNow(memory: ArrayBufferLike): void {
  if (memory instanceof ArrayBuffer && !memory.detached) memory.transfer(0);
}

/** As `target.set(bytes, offset)`, which copies single bytes where the target is shared: fifteen times as slow. */
export function copyInto(target: Uint8Array, bytes: Uint8Array, offset: number): void {
  const { buffer, byteOffset, length } = target;
  if (!(buffer instanceof SharedArrayBuffer)) target.set(bytes, offset);
  // Filling a part with what is just as long; nothing can't be filled with.
  else if (bytes.length > 0) {
    const end = offset + bytes.length;
    if (end > length) throw new RangeError('more is copied than there is room for');
    Buffer.from(buffer, byteOffset, length).fill(bytes, offset, end);
  }
}

/** `M_MMAP_THRESHOLD` of glibc's mallopt(3). */
const MMAP_THRESHOLD = -3;
// Smaller ones come and go too often: the system would clear their pages anew each time.
const OWN_MAPPING_BYTES = 2 * 1024 * 1024;
let settled = false;

/**
 * Large pieces of memory go back to the system when they are freed. By itself glibc keeps pieces of up to 32 MiB once
 * it has seen such, in as many heaps as there are threads. Does nothing where the C library has no such setting.
 */
export function returnLargeMemory(): void {
  if (settled) return;
  settled = true;
  try {
    libcFunction<[number, number]>('int mallopt(int, int)')(MMAP_THRESHOLD, OWN_MAPPING_BYTES);
  } catch {
    // Another C library has its own ways.
  }
}
