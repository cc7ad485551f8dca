/** Worker thread: opens, decompresses and verifies stretches of packs, or whole packs. */
import { parentPort, workerData } from 'node:worker_threads';
import { freeNow } from '#base';
import type { MasterKey } from '../crypto/master-key.ts';
import { Sealer } from '../crypto/sealer.ts';
import { verifyPack } from '../pack/verify-pack.ts';
import { runDecodeJob } from './decode-job.ts';
import type { PoolJob } from './decode-pool.ts';

const sealer = new Sealer(workerData as MasterKey);

parentPort?.on('message', ({ number, job }: { number: number; job: PoolJob }) => {
  if (job.kind === 'decode') {
    const answer = runDecodeJob(sealer, job.stretch);
    freeNow(job.stretch.sealed);
    parentPort?.postMessage({ number, answer }, [answer.plain, answer.whole.buffer]);
  } else {
    const answer = verifyPack(sealer, job.packId, Buffer.from(job.bytes), job.expected);
    parentPort?.postMessage({ number, answer });
  }
});
