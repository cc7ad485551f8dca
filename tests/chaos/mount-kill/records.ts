/** Records that say by themselves what they are: which slot, which version. They lie across pages. */
import { Chance } from '../chance.ts';

export const RECORD_BYTES = 3_000;
export const SLOTS_PER_FILE = 200;

export type Load = {
  /** Where the files are mounted. */
  folder: string;
  files: readonly string[];
  /** A version for each slot: the last that was begun, and the last that was made durable. */
  counters: { begun: SharedArrayBuffer; durable: SharedArrayBuffer };
  seed: number;
};

/** Version 0 is what the repository holds. */
export function recordOf(slot: number, version: number): Buffer {
  return new Chance(slot * 1_000_003 + version).bytes(RECORD_BYTES);
}

export function fileOf(file: number): Buffer {
  const slots = Array.from({ length: SLOTS_PER_FILE }, (_, at) => file * SLOTS_PER_FILE + at);
  return Buffer.concat(slots.map((slot) => recordOf(slot, 0)));
}

/** Whether each byte is of a version from the last durable one to the last begun: that one may have been cut. */
export function isPossible(slot: number, bytes: Buffer, durable: number, begun: number): boolean {
  const versions: Buffer[] = [];
  for (let version = durable; version <= begun; version += 1)
    versions.push(recordOf(slot, version));
  if (versions.length === 1) return bytes.equals(versions[0] as Buffer);
  return bytes.every((byte, at) => versions.some((version) => version[at] === byte));
}
