/** A file like a database's: pages of 8 KiB with headers, rows of text and numbers, some free space in each. */
import fs from 'node:fs';

export const PAGE_BYTES = 8192;
const HEADER_BYTES = 24;
const PAGES_AT_ONCE = 256;
const WORDS = 4000;

/** Numbers that follow from the seed (Marsaglia's xorshift): the same image in every run. */
export function randomNumbers(seed: number): () => number {
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

function pageMaker(seed: number): (into: Buffer, at: number) => void {
  const next = randomNumbers(seed);
  const words = Array.from({ length: WORDS }, () =>
    Buffer.from(`${next().toString(36)} `.slice(next() % 5)),
  );
  return (into, at) => {
    const end = at + PAGE_BYTES - (next() % 1024);
    into.fill(0, at, at + PAGE_BYTES);
    into.writeUInt32LE(next(), at);
    into.writeUInt16LE(HEADER_BYTES + (next() % 400), at + 12);
    into.writeUInt16LE(PAGE_BYTES, at + 16);
    into.writeUInt16LE(0x2004, at + 18);
    for (let row = at + HEADER_BYTES; row < end - 64; ) {
      into.writeUInt32LE(next(), row);
      into.writeUInt32LE(next() % 1000, row + 4);
      row += 8;
      for (let word = next() % 8; word >= 0 && row < end - 16; word -= 1) {
        row += (words[next() % WORDS] as Buffer).copy(into, row);
      }
    }
  };
}

export function makeImage(file: string, bytes: number, seed: number): void {
  const fill = pageMaker(seed);
  const memory = Buffer.alloc(PAGES_AT_ONCE * PAGE_BYTES);
  const handle = fs.openSync(file, 'w');
  for (let done = 0; done < bytes; done += memory.length) {
    for (let at = 0; at < memory.length; at += PAGE_BYTES) fill(memory, at);
    fs.writeSync(handle, memory, 0, Math.min(memory.length, bytes - done));
  }
  fs.closeSync(handle);
}

/** Writes so large a part of the pages anew, by chance all over the image. */
export function changePages(file: string, part: number, seed: number): void {
  const next = randomNumbers(seed);
  const fill = pageMaker(seed + 1);
  const page = Buffer.alloc(PAGE_BYTES);
  const handle = fs.openSync(file, 'r+');
  const pages = fs.fstatSync(handle).size / PAGE_BYTES;
  for (let number = 0; number < pages; number += 1) {
    if (next() / 2 ** 32 >= part) continue;
    fill(page, 0);
    fs.writeSync(handle, page, 0, PAGE_BYTES, number * PAGE_BYTES);
  }
  fs.closeSync(handle);
}
