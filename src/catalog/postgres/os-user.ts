/** Postgres refuses to run as root: the user that it runs as instead. */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import { promisify } from 'node:util';
import { errors } from '../errors.ts';

const run = promisify(execFile);

export type OsUser = { name: string; uid: number; gid: number };

/** Tried in this order; the last one is made where none is there. */
const NAMES = ['postgres', 'holdfast'] as const;

/** Undefined where the current user may run Postgres itself. Throws `catalog/no-os-user`. */
export async function userForPostgres(): Promise<OsUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const known = await existingUser();
  if (known) return known;
  try {
    const flags = ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin'];
    await run('useradd', [...flags, 'holdfast']);
  } catch (error) {
    throw errors.noOsUser([], { cause: error });
  }
  const made = await existingUser();
  if (!made) throw errors.noOsUser([]);
  return made;
}

/** From the passwd file: initdb looks its user up by name there too. */
async function existingUser(): Promise<OsUser | undefined> {
  const lines = (await fs.readFile('/etc/passwd', 'utf8'))
    .split('\n')
    .map((line) => line.split(':'));
  for (const name of NAMES) {
    const fields = lines.find((line) => line[0] === name);
    if (fields) return { name, uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  return undefined;
}
