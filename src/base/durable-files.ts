/** Writing local files so that what was acknowledged survives a power cut. */

import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { randomBytes } from './clock.ts';

/** Makes a directory's entries durable. Errors of file systems that can't (EINVAL) are ignored. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await fs.open(directory, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
  } finally {
    await handle.close();
  }
}

/**
 * Writes the file whole or not at all: temporary file beside it, fsync, rename, fsync of the directory.
 * After a crash either the old or the new content is there; a stale `.tmp-*` may remain and is harmless.
 */
export async function writeFileDurably(
  file: string,
  parts: Uint8Array | string | readonly Uint8Array[],
  options: { mode?: number } = {},
): Promise<void> {
  const temporary = `${file}.tmp-${randomBytes(6).toString('hex')}`;
  const handle = await fs.open(temporary, 'wx', options.mode ?? 0o600);
  try {
    if (typeof parts === 'string' || parts instanceof Uint8Array) await handle.writeFile(parts);
    else for (const part of parts) await handle.writeFile(part);
    await handle.sync();
  } catch (error) {
    await handle.close().catch(() => {});
    await fs.rm(temporary, { force: true });
    throw error;
  }
  await handle.close();
  try {
    await fs.rename(temporary, file);
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(path.dirname(file));
}

/** Makes everything written to the file system of this folder durable: for whole trees, where single fsyncs would crawl. */
export async function syncFileSystem(folder: string): Promise<void> {
  await promisify(execFile)('sync', ['-f', '--', folder]);
}
