/**
 * scrypt (RFC 7914) with its lanes beside each other: each of the p is stretched by itself, and Node's own takes one
 * after the other. Two in one thread take no longer than one does.
 */
import { pbkdf2Sync } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { LaneWork } from './lane-worker.ts';
import type { ScryptParameters } from './scrypt.ts';

const MAX_THREADS = 4;
/** Of all threads together: each holds 256 · N · r bytes. */
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;
/** N · r · p from which a thread's start is worth it. */
const MIN_WORK = 2 ** 18;
/** Of the lanes together: what is done in this thread, before and after them, takes but a millisecond or two then. */
const MAX_LANES_BYTES = 64 * 1024;

/** 0: nothing is to be won by it. */
export function laneThreads({ N, r, p }: ScryptParameters): number {
  if (p < 2 || 128 * r * p > MAX_LANES_BYTES || N * r * p < MIN_WORK) return 0;
  const affordable = Math.floor(MAX_MEMORY_BYTES / (256 * N * r));
  return Math.min(Math.ceil(p / 2), availableParallelism(), MAX_THREADS, affordable);
}

/**
 * The threads are on their way when it returns: whoever loads code next doesn't keep them from beginning. Rejects where one
 * can't be had, as for want of memory.
 */
export async function scryptInLanes(
  password: Buffer,
  salt: Buffer,
  keyBytes: number,
  { N, r, p }: ScryptParameters,
  threads: number,
): Promise<Buffer> {
  const laneBytes = 128 * r;
  const lanes = pbkdf2Sync(password, salt, 1, p * laneBytes, 'sha256');
  const perThread = 2 * Math.ceil(p / 2 / threads);
  const mixSome = async (first: number) => {
    const own: LaneWork['lanes'] = [];
    for (let lane = first; lane < Math.min(first + perThread, p); lane += 1) {
      own.push(new Uint8Array(lanes.subarray(lane * laneBytes, (lane + 1) * laneBytes)));
    }
    const mixed = await mix({ N, r, lanes: own });
    for (const [at, lane] of mixed.entries()) lanes.set(lane, (first + at) * laneBytes);
  };
  const mixing: Promise<void>[] = [];
  for (let first = 0; first < p; first += perThread) mixing.push(mixSome(first));
  await Promise.all(mixing);
  return pbkdf2Sync(password, lanes, 1, keyBytes, 'sha256');
}

function mix(work: LaneWork): Promise<LaneWork['lanes']> {
  const url = new URL(import.meta.resolve('#worker/keys/lane-worker'));
  const transferList = work.lanes.map(({ buffer }) => buffer);
  const worker = new Worker(url, { workerData: work, transferList });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`a thread for a key ended with ${code}`)));
  });
}
