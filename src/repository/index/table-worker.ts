/** Worker thread: writes a table file, or fills shared memory from one. Ends when that is done. */
import fs from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { Sealer } from '../crypto/sealer.ts';
import type { StoredTable } from './blob-table.ts';
import {
  encodePacks,
  MAGIC,
  MARK_BYTES,
  markOf,
  SEGMENT_BYTES,
  type Section,
  sealedBytes,
  sectionsOf,
  type TableTask,
} from './table-file.ts';

const LENGTH_BYTES = 4;

const task = workerData as TableTask;
const sealer = new Sealer(task.masterKey);

if (task.kind === 'write') write(task);
else parentPort?.postMessage(fill(task));

function write({ file, header, packs, table }: TableTask & { kind: 'write' }): void {
  const nonce = Buffer.from(header.nonce, 'hex');
  const seal = (number: number, plain: Uint8Array) =>
    sealer.seal(Buffer.concat([markOf(nonce, number), plain]));
  const head = seal(0, Buffer.from(JSON.stringify(header)));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(head.length);
  const handle = fs.openSync(file, 'w', 0o600);
  try {
    fs.writeSync(handle, Buffer.concat([MAGIC, length, head]));
    for (const section of sectionsOf(header, head.length)) {
      const plain = section.what.kind === 'packs' ? encodePacks(packs) : copyOf(table, section);
      fs.writeSync(handle, seal(section.number, plain));
    }
  } finally {
    fs.closeSync(handle);
  }
}

/** What was added to the table since is left out, so that it is as it was when the header was made. */
function copyOf({ slots, segments, count }: StoredTable, { what, plainBytes }: Section): Buffer {
  if (what.kind === 'packs') throw new Error('packs are no part of the table');
  if (what.kind === 'segment') {
    return Buffer.from(segments[what.at] as SharedArrayBuffer, 0, SEGMENT_BYTES);
  }
  const words = new Uint32Array(slots, what.at * 4, plainBytes / 4).slice();
  for (let i = 0; i < words.length; i += 1) if ((words[i] as number) > count) words[i] = 0;
  return Buffer.from(words.buffer);
}

/** False where a section isn't what was once written there. */
function fill({ file, nonce, sections, table }: TableTask & { kind: 'fill' }): boolean {
  const handle = fs.openSync(file, 'r');
  const room = Buffer.alloc(Math.max(0, ...sections.map((one) => sealedBytes(one.plainBytes))));
  try {
    for (const section of sections) {
      const sealed = room.subarray(0, sealedBytes(section.plainBytes));
      const read = fs.readSync(handle, sealed, 0, sealed.length, section.offset);
      if (read !== sealed.length) return false;
      const plain = sealer.open(sealed);
      const mark = markOf(Buffer.from(nonce, 'hex'), section.number);
      if (!plain.subarray(0, MARK_BYTES).equals(mark)) return false;
      targetOf(table, section).set(plain.subarray(MARK_BYTES));
    }
    return true;
  } catch {
    // Damaged, or gone: the index files tell the same.
    return false;
  } finally {
    fs.closeSync(handle);
  }
}

function targetOf({ slots, segments }: StoredTable, { what, plainBytes }: Section): Uint8Array {
  if (what.kind === 'slots') return new Uint8Array(slots, what.at * 4, plainBytes);
  if (what.kind === 'segment') return new Uint8Array(segments[what.at] as SharedArrayBuffer);
  throw new Error('packs are no part of the table');
}
