/** Moving what may be large, within one file system or over two, so that a repeated call goes on where a crash cut it. */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { entryExists, syncDirectory, syncFileSystem, systemCode } from '#base';
import { type CrashPoint, noCrash } from './crash-point.ts';

const execute = promisify(execFile);

const arriving = (to: string) => `${to}.arriving`;
const leaving = (from: string) => `${from}.leaving`;

/** A move over two file systems was cut where the whole copy was durable, and only its last renames are missing. */
async function isCut(from: string, to: string): Promise<boolean> {
  return (
    !(await entryExists(from)) &&
    (await entryExists(leaving(from))) &&
    (await entryExists(arriving(to)))
  );
}

/** Whether there is something to move: false where it has arrived, or never was. */
export async function awaitsMove(from: string, to: string): Promise<boolean> {
  return (await entryExists(from)) || (await isCut(from, to));
}

/** Atomic within a file system. Over two, `to` appears whole and durable, with owners, times, links and attributes. */
export async function move(
  from: string,
  to: string,
  crashPoint: CrashPoint = noCrash,
): Promise<void> {
  if (await isCut(from, to)) return arrive(from, to, crashPoint);
  try {
    await fs.rename(from, to);
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error;
    await copyOver(from, to, crashPoint);
    return arrive(from, to, crashPoint);
  }
  await syncDirectory(path.dirname(to));
}

async function copyOver(from: string, to: string, crashPoint: CrashPoint): Promise<void> {
  await fs.rm(arriving(to), { recursive: true, force: true });
  await fs.rm(leaving(from), { recursive: true, force: true });
  // Node's own copy keeps neither owners nor attributes: a database wouldn't start on what it leaves.
  await execute('cp', ['-a', '--', from, arriving(to)]);
  await syncFileSystem(arriving(to));
  crashPoint('move/copied');
  await fs.rename(from, leaving(from));
  await syncDirectory(path.dirname(from));
  crashPoint('move/left');
}

async function arrive(from: string, to: string, crashPoint: CrashPoint): Promise<void> {
  await fs.rename(arriving(to), to);
  await syncDirectory(path.dirname(to));
  crashPoint('move/arrived');
  await fs.rm(leaving(from), { recursive: true });
}

/** What crashes left of moves between the two, in either direction, once all lies where it should. */
export async function clearMoves(one: string, other: string): Promise<void> {
  for (const left of [one, other].flatMap((folder) => [leaving(folder), arriving(folder)])) {
    await fs.rm(left, { recursive: true, force: true });
  }
}

/** As if a move that was cut had never begun: `from` lies where it lay. Nothing where it has arrived. */
export async function giveUpMove(from: string, to: string): Promise<void> {
  if (await isCut(from, to)) {
    await fs.rename(leaving(from), from);
    await syncDirectory(path.dirname(from));
  }
  if (await entryExists(from)) await fs.rm(arriving(to), { recursive: true, force: true });
}
