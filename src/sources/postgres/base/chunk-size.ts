import fs from 'node:fs/promises';
import path from 'node:path';
import { systemCode, writeFileDurably } from '#base';

const SMALLEST_BYTES = 128 * 1024;
const LARGEST_BYTES = 2 ** 20;
const TEBIBYTE = 2 ** 40;

/**
 * The chunk size of a store: what holdfast.yaml says, else what it was before (another size would share no chunk with
 * earlier captures), else by the size of the store, so that a snapshot stays below some ten million chunks.
 */
export async function chunkSizeOf(
  configured: number | undefined,
  storeBytes: number | undefined,
  stateFolder: string,
): Promise<number> {
  const file = path.join(stateFolder, 'chunk-size');
  const size = configured ?? (await recordedSize(file)) ?? sizeFor(storeBytes ?? 0);
  if ((await recordedSize(file)) !== size) await writeFileDurably(file, `${size}\n`);
  return size;
}

function sizeFor(storeBytes: number): number {
  let size = SMALLEST_BYTES;
  while (size < LARGEST_BYTES && storeBytes / size > TEBIBYTE / SMALLEST_BYTES) size *= 2;
  return size;
}

async function recordedSize(file: string): Promise<number | undefined> {
  try {
    const size = Number((await fs.readFile(file, 'utf8')).trim());
    return Number.isInteger(size) && size > 0 && size % 8192 === 0 ? size : undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
