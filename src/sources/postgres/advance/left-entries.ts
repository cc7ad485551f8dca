/** The data directory of a stopped copy as the tree of a base: what belongs to the copy is left out or put back. */
import type { BigIntStats } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { EMPTIED_FOLDERS } from '../base/emptied-folders.ts';
import {
  AUTOMATIC_CONFIG,
  AUTOMATIC_CONFIG_ASIDE,
  BASE_WAL,
  TABLESPACES,
} from '../recover/tree.ts';

export type LeftEntry = {
  /** In the base. One character a byte. */
  path: string;
  /** In the folder. */
  relative: string;
  stat: BigIntStats;
  linkTarget?: Buffer;
};

/** Of the running server, or of the recovery; Postgres leaves such out of a base backup too (basebackup.c). */
const LEFT_OUT = new Set([
  'postmaster.pid',
  'postmaster.opts',
  'standby.signal',
  'recovery.signal',
  'backup_label',
  'backup_label.old',
  'tablespace_map',
  'tablespace_map.old',
  'backup_manifest',
  'current_logfiles',
  'current_logfiles.tmp',
  `${AUTOMATIC_CONFIG}.tmp`,
  BASE_WAL,
]);
const TEMPORARY = /(^|\/)(pgsql_tmp[^/]*|pg_internal\.init[^/]*)$/;
const WAL_FOLDER = 'pg_wal';
const TABLESPACE_LINKS = 'pg_tblspc';

/** Parents before children. The root itself isn't among them. */
export async function* leftEntries(directory: string): AsyncGenerator<LeftEntry> {
  yield* entriesIn(directory, '');
}

async function* entriesIn(directory: string, folder: string): AsyncGenerator<LeftEntry> {
  const names = await fs.readdir(path.join(directory, folder), { withFileTypes: true });
  for (const entry of names.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const relative = folder === '' ? entry.name : `${folder}/${entry.name}`;
    const target = pathInBase(relative, entry.isDirectory());
    const isDirectory = entry.isDirectory();
    if (target !== undefined && !(entry.isSymbolicLink() && folder === TABLESPACE_LINKS)) {
      const file = path.join(directory, relative);
      const stat = await fs.lstat(file, { bigint: true });
      const found = { path: Buffer.from(target).toString('latin1'), relative, stat };
      if (entry.isSymbolicLink()) {
        yield { ...found, linkTarget: await fs.readlink(file, { encoding: 'buffer' }) };
      } else if (isDirectory || entry.isFile()) yield found;
    }
    const isLookedInto = target !== undefined || relative === TABLESPACES;
    if (isDirectory && isLookedInto && !EMPTIED_FOLDERS.has(relative))
      yield* entriesIn(directory, relative);
  }
}

/** Undefined where it is left out. */
function pathInBase(relative: string, isDirectory: boolean): string | undefined {
  if (LEFT_OUT.has(relative) || TEMPORARY.test(relative)) return undefined;
  if (relative === AUTOMATIC_CONFIG) return undefined;
  if (relative === AUTOMATIC_CONFIG_ASIDE) return AUTOMATIC_CONFIG;
  if (relative === TABLESPACES) return undefined;
  if (relative.startsWith(`${TABLESPACES}/`)) {
    return TABLESPACE_LINKS + relative.slice(TABLESPACES.length);
  }
  // Its segments come from the journal; what is in its folders is of this server alone.
  if (relative.startsWith(`${WAL_FOLDER}/`)) {
    const isFolder = isDirectory && relative.split('/').length === 2;
    return isFolder ? relative : undefined;
  }
  return relative;
}
