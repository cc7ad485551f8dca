/** Making a data folder, whole or not at all: initdb works beside it, and a rename makes it real. */
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '#base';
import { errors } from '../errors.ts';
import type { Engine } from './engine.ts';
import type { OsUser } from './os-user.ts';

/** The superuser of the catalog's Postgres. */
export const ROLE = 'holdfast';

/** Does nothing where the folder is there. Throws `catalog/init-failed`. */
export async function initialise(
  engine: Engine,
  data: string,
  folder: string,
  user: OsUser | undefined,
): Promise<void> {
  const done = await fs.access(path.join(data, 'PG_VERSION')).then(
    () => true,
    () => false,
  );
  if (done) return;
  const partial = `${data}.partial`;
  await fs.rm(partial, { recursive: true, force: true });
  // initdb reads the password as its own user, from a copy that lives as long as it does.
  const passwordFile = path.join(folder, 'password.initdb');
  await fs.copyFile(path.join(folder, 'password'), passwordFile);
  if (user) await fs.chown(passwordFile, user.uid, user.gid);
  try {
    await runInitdb(engine, partial, passwordFile, user);
  } finally {
    await fs.rm(passwordFile, { force: true });
  }
  await fs.rename(partial, data);
}

async function runInitdb(
  engine: Engine,
  data: string,
  passwordFile: string,
  user: OsUser | undefined,
): Promise<void> {
  const flags = [
    `--pgdata=${data}`,
    `--username=${ROLE}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--data-checksums',
  ];
  const child = spawn(path.join(engine.bin, 'initdb'), flags, {
    cwd: path.dirname(data),
    env: childEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(user ? { uid: user.uid, gid: user.gid } : {}),
  });
  let said = '';
  const keep = (bytes: Buffer) => {
    said = (said + bytes).slice(-2000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  }).catch((error) => {
    throw errors.initFailed([messageOf(error)], { cause: error });
  });
  if (code !== 0) {
    const last = said.trim().split('\n').at(-1) ?? '';
    throw errors.initFailed([last || `initdb ended with ${code}`], { where: data });
  }
}

/** Of the caller's environment only what Postgres needs: no PGDATA, no passwords. */
export function childEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LANG: 'C', LC_ALL: 'C', TZ: 'UTC' };
}
