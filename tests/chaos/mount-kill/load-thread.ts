/**
 * Writes records into files of a mount, each made durable before it counts, until the mount goes away under it. A thread of
 * its own, for the calls wait for a process that is about to be killed.
 */
import fs from 'node:fs';
import path from 'node:path';
import { workerData } from 'node:worker_threads';
import { Chance } from '../chance.ts';
import { type Load, RECORD_BYTES, recordOf, SLOTS_PER_FILE } from './records.ts';

const { folder, files, counters, seed } = workerData as Load;
const begun = new Int32Array(counters.begun);
const durable = new Int32Array(counters.durable);
const chance = new Chance(seed);

/** Reading beside it brings pages here while others are written. */
function readSome(descriptor: number): void {
  const bytes = Buffer.alloc(20_000);
  fs.readSync(descriptor, bytes, 0, bytes.length, chance.below(SLOTS_PER_FILE * RECORD_BYTES));
}

function write(file: number): void {
  const slot = file * SLOTS_PER_FILE + chance.below(SLOTS_PER_FILE);
  const version = (begun[slot] as number) + 1;
  const record = recordOf(slot, version);
  const at = (slot % SLOTS_PER_FILE) * RECORD_BYTES;
  const descriptor = fs.openSync(path.join(folder, files[file] as string), 'r+');
  try {
    Atomics.store(begun, slot, version);
    for (let done = 0; done < record.length; ) {
      done += fs.writeSync(descriptor, record, done, record.length - done, at + done);
    }
    if (chance.below(2) === 0) fs.fsyncSync(descriptor);
    else fs.fdatasyncSync(descriptor);
    Atomics.store(durable, slot, version);
    if (chance.below(4) === 0) readSome(descriptor);
  } finally {
    closeQuietly(descriptor);
  }
}

function closeQuietly(descriptor: number): void {
  try {
    fs.closeSync(descriptor);
  } catch {
    // The mount is gone: what counts was made durable before.
  }
}

try {
  for (;;) write(chance.below(files.length));
} catch (error) {
  // However its end shows to a program.
  const { code = '' } = error as NodeJS.ErrnoException;
  if (!['ENOTCONN', 'ECONNABORTED', 'EIO', 'ENOENT'].includes(code)) throw error;
}
