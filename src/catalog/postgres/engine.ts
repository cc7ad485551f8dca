/** The Postgres that Holdfast brings along, where the catalog's user can run it: as installed, or a copy. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { embeddedPostgres, messageOf, type PostgresInstallation, usablePostgres } from '#base';
import { errors } from '../errors.ts';
import type { OsUser } from './os-user.ts';

export type Engine = {
  /** Holds initdb and postgres. */
  bin: string;
  /** `18`: data folders of different majors can't be mixed. */
  major: string;
};

/** Throws `catalog/engine-platform` or `catalog/engine-damaged`. */
export async function provideEngine(
  copiesFolder: string,
  user: OsUser | undefined,
  given?: PostgresInstallation,
): Promise<Engine> {
  const installed = given ?? (await embeddedPostgres());
  if (!installed) throw errors.enginePlatform([`${process.platform}-${process.arch}`]);
  const where = installed.prefix;
  let bin: string | undefined;
  try {
    bin = await usablePostgres(installed, copiesFolder, user ?? {});
  } catch (error) {
    throw errors.engineDamaged([messageOf(error)], { cause: error, where });
  }
  if (!bin) throw errors.engineDamaged([`${user?.name ?? 'this user'} can't run it`], { where });
  return { bin, major: installed.version.split('.')[0] as string };
}

/** True where every folder on the way may be entered by anybody. */
export async function othersMayTraverse(folder: string): Promise<boolean> {
  for (let at = await fs.realpath(folder); ; at = path.dirname(at)) {
    if (((await fs.stat(at)).mode & 0o001) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}
