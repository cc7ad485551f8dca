/**
 * The WAL that a replay was given, after it: a promoted server comes back from a crash by it until its first checkpoint
 * on the timeline that it began is complete. Links to it lie in `pg_wal`, it lies in the scratch folder, and none of it
 * is production's business.
 */
import fs from 'node:fs/promises';
import path from 'node:path';
import { checkpointTimeline } from '../advance/control-file.ts';
import { copyFolders } from './prepare.ts';
import { BASE_WAL } from './tree.ts';

/** Takes it away; the server must need it no more. Idempotent. */
export async function dropWal(directory: string, scratch: string): Promise<void> {
  for (const link of await linksIn(directory)) await fs.rm(link, { force: true });
  await fs.rm(path.join(directory, BASE_WAL), { recursive: true, force: true });
  await fs.rm(copyFolders(scratch).wal, { recursive: true, force: true });
}

/**
 * Makes a stopped copy need nothing outside of its directory: WAL that it would come back by from a crash becomes its own.
 * Idempotent.
 */
export async function keepNeededWal(directory: string): Promise<void> {
  const needed = await needsWal(directory);
  for (const link of await linksIn(directory)) {
    if (needed) {
      const { uid, gid } = await fs.lstat(link);
      const own = `${link}.own`;
      await fs.copyFile(link, own);
      await fs.chown(own, uid, gid);
      await fs.rename(own, link);
    } else {
      await fs.rm(link, { force: true });
    }
  }
  await fs.rm(path.join(directory, BASE_WAL), { recursive: true, force: true });
}

/** A checkpoint of a later timeline has everything from before it written out. */
export async function needsWal(directory: string): Promise<boolean> {
  const lines = (await linksIn(directory)).map((link) => lineOf(path.basename(link)));
  if (lines.length === 0) return false;
  const written = await checkpointTimeline(directory);
  return written === undefined || written <= Math.max(...lines);
}

async function linksIn(directory: string): Promise<string[]> {
  const folder = path.join(directory, 'pg_wal');
  const entries = await fs.readdir(folder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isSymbolicLink())
    .map(({ name }) => path.join(folder, name));
}

/** The first eight digits of a segment's name. */
const lineOf = (segment: string) => Number.parseInt(segment.slice(0, 8), 16);
