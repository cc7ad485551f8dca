/** Worker thread: makes sidecars, and mends packs with them. */
import { parentPort } from 'node:worker_threads';
import { type ParityJob, ParityJobs } from './parity-job.ts';

const jobs = new ParityJobs();

parentPort?.on('message', ({ number, job }: { number: number; job: ParityJob }) => {
  const { answer, transfer } = jobs.run(job);
  parentPort?.postMessage({ number, answer }, transfer);
});
