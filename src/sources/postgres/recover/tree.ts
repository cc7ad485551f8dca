import fs from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { systemCode } from '#base';
import { errors } from '../errors.ts';
import type { OsUser } from './os-user.ts';

/**
 * Entries, of whatever folders: microseconds each, and whatever else this process does waits meanwhile. As the server waits
 * for all of them together, and what is done in between takes longer.
 */
const LOOKED_AT_ONCE = 256;

/** Tablespaces of a copy lie in its own data directory, under this. */
export const TABLESPACES = 'holdfast-tablespaces';
export const AUTOMATIC_CONFIG = 'postgresql.auto.conf';
/** Where production's postgresql.auto.conf waits: Postgres would read it whatever configuration it is given. */
export const AUTOMATIC_CONFIG_ASIDE = 'postgresql.auto.conf.before-recovery';

/** What belongs to the running server that was captured, and not to a copy. */
const LEFTOVERS = [
  'postmaster.pid',
  'postmaster.opts',
  'standby.signal',
  'recovery.signal',
  'tablespace_map',
  'backup_manifest',
];

/** Where the WAL of the base waits in the data directory: where that is mounted, what isn't read of it isn't fetched. */
export const BASE_WAL = 'holdfast-base-wal';

const WAL_FILE = /^[0-9A-F]{24}(\.partial)?$/;

/**
 * Makes a restored tree ready for recovery: leftovers gone, tablespaces within, its WAL moved to `BASE_WAL`. May be called
 * again after it was cut short. `ownTree` must follow before a server starts on it.
 * @throws postgres/not-a-postgres-tree
 */
export async function prepareTree(
  directory: string,
  majorVersion: number,
  user: OsUser,
): Promise<void> {
  await checkVersion(directory, majorVersion);
  for (const name of LEFTOVERS) await fs.promises.rm(path.join(directory, name), { force: true });
  await moveIfThere(
    path.join(directory, AUTOMATIC_CONFIG),
    path.join(directory, AUTOMATIC_CONFIG_ASIDE),
  );
  await linkTablespaces(directory, directory);
  await moveWal(path.join(directory, 'pg_wal'), path.join(directory, BASE_WAL));
  // Only a standby can be promoted without writing everything out first (xlog.c, PerformRecoveryXLogAction).
  await fs.promises.writeFile(path.join(directory, 'standby.signal'), '', { mode: 0o600 });
  await fs.promises.chmod(directory, 0o700);
  own({ directory, below: directory }, '.', user);
}

/**
 * Gives all of a tree to the user that its server runs as. `below`: where the same entries lie as ordinary files, if
 * elsewhere. @throws postgres/points-outside
 */
export async function ownTree(directory: string, user: OsUser, below = directory): Promise<void> {
  await ownAndInspect({ directory, home: directory, below }, user);
}

/** Gives back what a copy changed, so that it can be production's data directory at `home`. */
export async function settleTree(directory: string, home: string, user: OsUser): Promise<void> {
  await moveIfThere(
    path.join(directory, AUTOMATIC_CONFIG_ASIDE),
    path.join(directory, AUTOMATIC_CONFIG),
  );
  await linkTablespaces(directory, home);
  await ownAndInspect({ directory, home, below: directory }, user);
}

async function checkVersion(directory: string, majorVersion: number): Promise<void> {
  const text = await fs.promises
    .readFile(path.join(directory, 'PG_VERSION'), 'utf8')
    .catch((error) => {
      if (systemCode(error) === 'ENOENT') throw errors.notAPostgresTree(['PG_VERSION is missing']);
      throw error;
    });
  if (Number.parseInt(text, 10) === majorVersion) return;
  throw errors.notAPostgresTree([`PG_VERSION says ${text.trim()} instead of ${majorVersion}`]);
}

/**
 * Folders and links in `pg_tblspc` become links to folders in the data directory, as they are named when it lies at
 * `home`. Links never lead back to production's tablespaces.
 */
async function linkTablespaces(directory: string, home: string): Promise<void> {
  const links = path.join(directory, 'pg_tblspc');
  for (const oid of await fs.promises.readdir(links)) {
    const link = path.join(links, oid);
    const folder = path.join(directory, TABLESPACES, oid);
    await fs.promises.mkdir(path.dirname(folder), { recursive: true, mode: 0o700 });
    if ((await fs.promises.lstat(link)).isSymbolicLink()) await fs.promises.unlink(link);
    else await fs.promises.rename(link, folder);
    await fs.promises.symlink(path.join(home, TABLESPACES, oid), link);
  }
}

/**
 * The server is given WAL through its restore_command alone: here more may lie than recovery may read. Links are what a
 * recovery that was cut short was given, and not the base's.
 */
async function moveWal(from: string, to: string): Promise<void> {
  await fs.promises.mkdir(to, { recursive: true, mode: 0o700 });
  for (const entry of await fs.promises.readdir(from, { withFileTypes: true })) {
    const { name } = entry;
    if (entry.isSymbolicLink()) await fs.promises.unlink(path.join(from, name));
    else if (WAL_FILE.test(name)) await move(path.join(from, name), path.join(to, name));
  }
  await fs.promises.rm(path.join(from, 'archive_status'), { recursive: true, force: true });
  await fs.promises.mkdir(path.join(from, 'archive_status'), { mode: 0o700 });
}

type Places = {
  directory: string;
  /** Where it is to lie: links may name what is there. */
  home: string;
  /** Where entries are looked at. Changed they are in the directory alone. */
  below: string;
};

/**
 * Owner of every entry, and no link that leads out of the tree, wherever it came from. Looked at in place, some at a time:
 * of thousands of entries each would wait for a thread, which takes longer than all that is done with them.
 */
async function ownAndInspect(places: Places, user: OsUser): Promise<void> {
  const folders = ['.'];
  let looked = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    own(places, folder, user);
    for (const entry of fs.readdirSync(path.join(places.below, folder), { withFileTypes: true })) {
      looked += 1;
      if (looked % LOOKED_AT_ONCE === 0) await setImmediate();
      const name = path.join(folder, entry.name);
      if (entry.isDirectory()) folders.push(name);
      else own(places, name, user);
      if (entry.isSymbolicLink()) refuseLeadingOut(places, name);
    }
  }
}

function refuseLeadingOut({ directory, home, below }: Places, link: string): void {
  const named = fs.readlinkSync(path.join(below, link));
  const target = path.resolve(directory, path.dirname(link), named);
  if (target.startsWith(`${home}/`)) return;
  throw errors.pointsOutside([`the link ${link}`, target]);
}

function own({ directory, below }: Omit<Places, 'home'>, name: string, user: OsUser): void {
  const { uid, gid } = fs.lstatSync(path.join(below, name));
  if (uid === user.uid && gid === user.gid) return;
  fs.lchownSync(path.join(directory, name), user.uid, user.gid);
}

async function moveIfThere(from: string, to: string): Promise<void> {
  try {
    await fs.promises.rename(from, to);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

/** Over file systems too. */
async function move(from: string, to: string): Promise<void> {
  try {
    await fs.promises.rename(from, to);
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error;
    await fs.promises.copyFile(from, to);
    await fs.promises.unlink(from);
  }
}
