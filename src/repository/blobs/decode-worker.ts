/** Worker thread: opens, decompresses and verifies stretches of packs. */
import { parentPort, workerData } from 'node:worker_threads';
import type { MasterKey } from '../crypto/master-key.ts';
import { Sealer } from '../crypto/sealer.ts';
import { type DecodeJob, runDecodeJob } from './decode-job.ts';

const sealer = new Sealer(workerData as MasterKey);

parentPort?.on('message', ({ number, job }: { number: number; job: DecodeJob }) => {
  const decoded = runDecodeJob(sealer, job);
  parentPort?.postMessage({ number, decoded }, [decoded.plain, decoded.whole.buffer]);
});
