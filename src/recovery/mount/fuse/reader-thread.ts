/**
 * Waits for the kernel's requests, which would hold up every other thing that its thread does, and hands each to the
 * thread that answers. Ends when the file system is unmounted.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { requestsOf } from './requests.ts';

const { descriptor } = workerData as { descriptor: number };

for (const request of requestsOf(descriptor)) {
  const copy = new Uint8Array(request);
  parentPort?.postMessage(copy, [copy.buffer]);
}
