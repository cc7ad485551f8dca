/**
 * Waits for the kernel's requests with blocking reads, which would hold up every other thing that its thread does, and
 * hands each to the thread that answers. Ends when the file system is unmounted.
 */
import fs from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { MAX_TRANSFER_BYTES } from './opcodes.ts';

const HEADERS_BYTES = 4096;
/** Interrupted, answered elsewhere meanwhile, none there: the next read will do. */
const PASSING = new Set(['EINTR', 'ENOENT', 'EAGAIN']);

const { descriptor } = workerData as { descriptor: number };
const buffer = Buffer.allocUnsafeSlow(MAX_TRANSFER_BYTES + HEADERS_BYTES);

/** Undefined when there is nothing more to come. */
function nextRequest(): Buffer | undefined {
  for (;;) {
    try {
      return buffer.subarray(0, fs.readSync(descriptor, buffer));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENODEV') return undefined;
      if (!PASSING.has(code ?? '')) throw error;
    }
  }
}

for (let request = nextRequest(); request !== undefined; request = nextRequest()) {
  const copy = new Uint8Array(request);
  parentPort?.postMessage(copy, [copy.buffer]);
}
