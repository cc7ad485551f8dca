/** What a copy needs of the host that it is started on and that isn't installed there, told before anything starts. */
import path from 'node:path';
import { z } from 'zod';
import { installedPostgres, isReachable } from '#base';
import type { CaptureOutcome } from '../../source.ts';
import { baseFactsOf } from '../facts.ts';

const extensionsSchema = z.array(z.object({ name: z.string(), version: z.string() }));

/** Comes with every installation: the folder in which it lies is that of the others, too. */
const ALWAYS_THERE = 'plpgsql';

/** A sentence each, with what to install. Extensions are those of the database that the store's URL names. */
export async function hostLacks(capture: CaptureOutcome): Promise<string[]> {
  const { majorVersion, needs } = baseFactsOf(capture);
  const binaries = await installedPostgres(majorVersion);
  if (binaries === undefined) {
    return [
      `no binaries of Postgres ${majorVersion} on this host, so it can't start here (Debian: apt-get install postgresql-${majorVersion})`,
    ];
  }
  // A role that may not ask leaves them unknown.
  const extensions = extensionsSchema.safeParse(needs.extensions).data ?? [];
  const wanted = extensions.filter(({ name }) => name !== ALWAYS_THERE);
  const folder = wanted.length === 0 ? undefined : await extensionFolder(binaries, majorVersion);
  if (folder === undefined) return [];
  const lacks: string[] = [];
  for (const { name, version } of wanted) {
    if (await isReachable(controlFile(folder, name))) continue;
    lacks.push(
      `the extension ${name} ${version} isn't installed on this host: what uses it fails in a copy (Debian: apt-cache search postgresql-${majorVersion} ${name})`,
    );
  }
  return lacks;
}

const controlFile = (folder: string, name: string) => path.join(folder, `${name}.control`);

async function extensionFolder(binaries: string, major: number): Promise<string | undefined> {
  const shares = [
    path.join(binaries, '../share/postgresql'),
    path.join(binaries, '../share'),
    `/usr/share/postgresql/${major}`,
    '/usr/share/postgresql',
  ];
  for (const folder of shares.map((share) => path.join(share, 'extension'))) {
    if (await isReachable(controlFile(folder, ALWAYS_THERE))) return folder;
  }
  return undefined;
}
