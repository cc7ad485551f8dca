/** Very many small files that lie on this machine, read and opened in one go: each crossing between threads costs more. */
import { hash } from 'node:crypto';
import fs from 'node:fs';
import type { Sealer } from '../crypto/sealer.ts';
import type { Decompressor } from '../crypto/zstd-context.ts';
import { openUnpacked } from './open-unpacked.ts';

/** `id`: the SHA-256 of what is stored. */
export type UnpackedFileHere = { path: string; name: string; id: string };

/** The JSON of each, one after another; 0 bytes of what wasn't to be had: who reads it alone gets it or learns why. */
export type OpenedFiles = { bytes: Uint8Array<ArrayBuffer>; lengths: Uint32Array<ArrayBuffer> };

/** Far more than they commonly are; then the rest of them is left to be read one by one. */
const MOST_BYTES = 32 * 1024 * 1024;

/** Waits for the disk. */
export function openFilesHere(
  opener: { sealer: Sealer; decompressor: Decompressor },
  files: readonly UnpackedFileHere[],
): OpenedFiles {
  const parts: Buffer[] = [];
  const lengths = new Uint32Array(files.length);
  let left = MOST_BYTES;
  for (const [at, { path, name, id }] of files.entries()) {
    if (left < 0) break;
    try {
      const stored = fs.readFileSync(path);
      if (hash('sha256', stored) !== id) continue;
      const json = Buffer.from(openUnpacked(opener, name, stored));
      lengths[at] = json.length;
      parts.push(json);
      left -= json.length;
    } catch {
      // Gone, damaged, not ours to read.
    }
  }
  return { bytes: ownBytes(parts), lengths };
}

/** By file, undefined of what wasn't to be had. */
export function contentsOf({ bytes, lengths }: OpenedFiles): (Buffer | undefined)[] {
  let at = 0;
  return Array.from(lengths, (length) => {
    at += length;
    return length === 0 ? undefined : Buffer.from(bytes.buffer, at - length, length);
  });
}

function ownBytes(parts: readonly Buffer[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
