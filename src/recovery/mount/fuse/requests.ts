/** Requests as they come from the device, one blocking read each: for a thread that does nothing else. */
import fs from 'node:fs';
import { MAX_TRANSFER_BYTES } from './opcodes.ts';

const HEADERS_BYTES = 4096;
/** Interrupted, or answered elsewhere meanwhile: the next read will do. */
const PASSING = new Set(['EINTR', 'ENOENT', 'EAGAIN']);

/** Each holds until the next is asked for. Ends when the file system is unmounted. */
export function* requestsOf(descriptor: number): Generator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(MAX_TRANSFER_BYTES + HEADERS_BYTES);
  for (;;) {
    try {
      yield buffer.subarray(0, fs.readSync(descriptor, buffer));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENODEV') return;
      if (!PASSING.has(code ?? '')) throw error;
    }
  }
}
