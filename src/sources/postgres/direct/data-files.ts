/** The data directory of a running server as a base backup shows it (PostgreSQL: basebackup.c). */
import fs from 'node:fs';
import path from 'node:path';
import { systemCode } from '#base';
import { EMPTIED_FOLDERS } from '../base/emptied-folders.ts';
import { bytesOf } from '../latin1.ts';

/** Paths and names are latin1 text. */
export type DataEntry = { path: string; stat: fs.Stats };

/** `folder`: where that is in truth. */
export type DataTablespace = { oid: string; location: string; folder: string };

const LEFT_OUT = new Set([
  'postgresql.auto.conf.tmp',
  'current_logfiles.tmp',
  'backup_label',
  'tablespace_map',
  'backup_manifest',
  'postmaster.pid',
  'postmaster.opts',
  '.DS_Store',
]);
/** Caches that a server makes anew, and the files of queries that were under way. */
const LEFT_OUT_BY_PREFIX = /^(?:pg_internal\.init|pgsql_tmp)/;
const TEMPORARY_RELATION = /^t\d+_\d+(?:_(?:fsm|vm|init))?(?:\.\d+)?$/;
const RELATION = /^(\d+)(?:_(?:fsm|vm))?(?:\.\d+)?$/;
const DATABASE_FOLDER = /^(?:base|pg_tblspc\/\d+\/[^/]+)\/\d+$/;

const WAL_FOLDER = 'pg_wal';
/** Of the WAL's folder: they are there, and empty. */
const WAL_FOLDERS = ['archive_status', 'summaries'];
const TABLESPACE_LINKS = 'pg_tblspc';
/** Given last, by whoever reads it with care. */
const CONTROL_FILE = 'global/pg_control';

export type DataPlace = {
  directory: string;
  /** Their content is given; one that was made since is in the WAL. */
  tablespaces: readonly DataTablespace[];
  /** In each of them, of the folder that is this server's. */
  tablespaceFolder: string;
};

/** Parents before children; without the root itself and the control file. What vanishes meanwhile is left out. */
export async function* dataEntries(place: DataPlace, folder = ''): AsyncGenerator<DataEntry> {
  const { directory } = place;
  const names = await namesIn(`${directory}/${folder}`, folder !== '');
  const isLeftOut = leftOutIn(folder, names);
  for (const name of names) {
    const inside = folder === '' ? name : `${folder}/${name}`;
    if (isLeftOut(name) || inside === CONTROL_FILE) continue;
    if (folder === TABLESPACE_LINKS) {
      yield* tablespaceEntries(place, name);
      continue;
    }
    const isEmptied = folder === '' && (EMPTIED_FOLDERS.has(name) || name === WAL_FOLDER);
    // A folder that is kept elsewhere by a link is a folder all the same.
    const stat = statIfThere(`${directory}/${inside}`, isEmptied);
    if (stat?.isFile()) yield { path: inside, stat };
    if (!stat?.isDirectory()) continue;
    yield { path: inside, stat };
    if (!isEmptied) yield* dataEntries(place, inside);
    else if (name === WAL_FOLDER) yield* walFolders(directory);
  }
}

/** Of a tablespace there is only what this version of the server keeps in it. */
async function* tablespaceEntries(place: DataPlace, oid: string): AsyncGenerator<DataEntry> {
  const { directory, tablespaces, tablespaceFolder } = place;
  const inside = `${TABLESPACE_LINKS}/${oid}`;
  const stat = statIfThere(`${directory}/${inside}`, true);
  if (!stat?.isDirectory() || !tablespaces.some((one) => one.oid === oid)) return;
  yield { path: inside, stat };
  const below = `${inside}/${tablespaceFolder}`;
  const own = statIfThere(`${directory}/${below}`, false);
  if (!own?.isDirectory()) return;
  yield { path: below, stat: own };
  yield* dataEntries(place, below);
}

function* walFolders(directory: string): Generator<DataEntry> {
  for (const name of WAL_FOLDERS) {
    const stat = statIfThere(`${directory}/${WAL_FOLDER}/${name}`, true);
    if (stat?.isDirectory()) yield { path: `${WAL_FOLDER}/${name}`, stat };
  }
}

function leftOutIn(folder: string, names: readonly string[]): (name: string) => boolean {
  const isAlways = (name: string) => LEFT_OUT.has(name) || LEFT_OUT_BY_PREFIX.test(name);
  if (!DATABASE_FOLDER.test(folder)) return isAlways;
  const unlogged = new Set<string>();
  for (const name of names) if (name.endsWith('_init')) unlogged.add(name.slice(0, -5));
  return (name) => {
    if (isAlways(name) || TEMPORARY_RELATION.test(name)) return true;
    const relation = RELATION.exec(name)?.[1];
    return relation !== undefined && unlogged.has(relation);
  };
}

/** Where tablespaces lie. Undefined where one isn't a link to a folder that is there: inside the data directory, say. */
export async function tablespacesOf(directory: string): Promise<DataTablespace[] | undefined> {
  const found: DataTablespace[] = [];
  for (const oid of await namesIn(`${directory}/${TABLESPACE_LINKS}`, false)) {
    const link = bytesOf(`${directory}/${TABLESPACE_LINKS}/${oid}`);
    if (!/^\d+$/.test(oid)) continue;
    const stat = statIfThere(`${directory}/${TABLESPACE_LINKS}/${oid}`, true);
    const isLink = (await fs.promises.lstat(link)).isSymbolicLink();
    if (!isLink || !stat?.isDirectory()) return undefined;
    const location = await fs.promises.readlink(link);
    if (!path.isAbsolute(location)) return undefined;
    found.push({ oid, location, folder: await fs.promises.realpath(link) });
  }
  return found;
}

async function namesIn(folder: string, mayBeGone: boolean): Promise<string[]> {
  try {
    const names = await fs.promises.readdir(bytesOf(folder), { encoding: 'latin1' });
    return names.sort();
  } catch (error) {
    if (mayBeGone && systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** A call here takes microseconds, and far longer by way of another thread. */
function statIfThere(file: string, followsLink: boolean): fs.Stats | undefined {
  const options = { throwIfNoEntry: false } as const;
  return followsLink ? fs.statSync(bytesOf(file), options) : fs.lstatSync(bytesOf(file), options);
}
