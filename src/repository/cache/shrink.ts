/** Keeping a folder below a size: what wasn't used for longest goes first. */
import type { Dirent } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { systemClock, systemCode } from '#base';
import { isId } from '../names.ts';

/** Below the limit by so much, so that not every further file makes it necessary again. */
const SHRINK_TO = 0.9;
const LEFTOVER_AGE_MS = 24 * 3_600_000;
const UNUSED_AGE_MS = 60 * 24 * 3_600_000;
const TEMPORARY = /\.tmp-[0-9a-f]{12}$/;

type CachedFile = { file: string; sizeBytes: number; usedMs: number };

/** Others may do the same at once, and remove what is listed: what is gone is gone. */
export async function shrinkFolder(folder: string, maxBytes: number): Promise<void> {
  const files = await filesBelow(folder);
  let total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const oldestMs = systemClock.nowMs() - LEFTOVER_AGE_MS;
  const wanted = total > maxBytes ? maxBytes * SHRINK_TO : total;
  files.sort((a, b) => a.usedMs - b.usedMs);
  for (const { file, sizeBytes, usedMs } of files) {
    const isLeftover = TEMPORARY.test(file) && usedMs < oldestMs;
    if (total <= wanted && !isLeftover) continue;
    await fs.rm(file, { force: true }).catch(() => {
      // Not ours to remove: it counts as gone, and the limit is kept by the others.
    });
    total -= sizeBytes;
  }
}

/** Notes that this one was used, and removes its neighbours that weren't for two months. */
export async function removeUnusedCaches(folder: string): Promise<void> {
  const nowMs = systemClock.nowMs();
  const parent = path.dirname(folder);
  try {
    await fs.utimes(folder, nowMs / 1000, nowMs / 1000);
    for (const name of (await fs.readdir(parent)).filter(isId)) {
      const neighbour = path.join(parent, name);
      const { mtimeMs } = await fs.stat(neighbour);
      if (nowMs - mtimeMs > UNUSED_AGE_MS) await fs.rm(neighbour, { recursive: true, force: true });
    }
  } catch (error) {
    // Never made, deleted meanwhile, or not ours: tending it can wait.
    if (systemCode(error) === undefined) throw error;
  }
}

async function filesBelow(folder: string): Promise<CachedFile[]> {
  const files: CachedFile[] = [];
  for (const entry of await entriesOf(folder)) {
    const file = path.join(entry.parentPath, entry.name);
    if (!entry.isFile()) continue;
    const stats = await fs.stat(file).catch(() => undefined);
    if (stats) files.push({ file, sizeBytes: stats.size, usedMs: stats.mtimeMs });
  }
  return files;
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await fs.readdir(folder, { recursive: true, withFileTypes: true });
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return [];
  }
}
