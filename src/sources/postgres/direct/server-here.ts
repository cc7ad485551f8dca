/** Whether the files of a server can be read past it: it runs on this host, and this process may read all of them. */
import fs from 'node:fs/promises';
import { messageOf, readProcessState, systemCode } from '#base';
import type { ServerFacts } from '../base/server-facts.ts';
import { latin1Of } from '../latin1.ts';
import { controlIdentity } from './control-bytes.ts';
import { tablespacesOf } from './data-files.ts';

/** Paths are canonical. */
export type DataDirectoryHere = {
  directory: string;
  walFolder: string;
  /** In each tablespace, of the folder that is this server's. */
  tablespaceFolder: string;
};

export type ServerAsked = {
  server: Pick<ServerFacts, 'settings' | 'systemIdentifier'>;
  serverVersion: number;
  /** Of a process of the server, as it says itself. */
  serverPid: number;
  /** A slot that was made just now, of a name that nobody else has. */
  slot: string;
};

/**
 * Says why not where it can't. A server is known by a slot of a random name, which must lie in the data directory; by one of
 * its processes, which must be a child of the one that is noted there; and by its system identifier.
 */
export async function dataDirectoryHere(
  asked: ServerAsked,
): Promise<DataDirectoryHere | { because: string }> {
  const named = asked.server.settings.data_directory;
  if (named === undefined) return { because: 'this role may not see data_directory' };
  try {
    const directory = await fs.realpath(named);
    const because = await whyNot(directory, asked);
    if (because !== undefined) return { because };
    const { systemIdentifier, catalogVersion } = await controlIdentity(directory);
    if (systemIdentifier !== asked.server.systemIdentifier) {
      return { because: `${directory} on this host is of another server` };
    }
    if (!(await tablespacesOf(latin1Of(directory)))) {
      return { because: 'a tablespace is not a link to a folder of this host' };
    }
    const walFolder = await fs.realpath(`${directory}/pg_wal`);
    const major = Math.floor(asked.serverVersion / 10_000);
    const tablespaceFolder = `PG_${major}_${catalogVersion}`;
    return { directory, walFolder, tablespaceFolder };
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return { because: `${named} can't be read on this host: ${messageOf(error)}` };
  }
}

async function whyNot(
  directory: string,
  { serverPid, slot }: ServerAsked,
): Promise<string | undefined> {
  const { uid } = await fs.stat(directory);
  const user = process.geteuid?.();
  if (user !== 0 && user !== uid) return `only root and its owner may read all of ${directory}`;
  await fs.access(`${directory}/pg_replslot/${slot}/state`);
  const noted = await fs.readFile(`${directory}/postmaster.pid`, 'utf8');
  const parent = (await readProcessState(serverPid))?.parent;
  return parent !== undefined && parent === Number.parseInt(noted, 10)
    ? undefined
    : 'its processes are not among those of this host';
}
