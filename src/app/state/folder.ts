/** Where a control plane keeps what must survive a restart of it. One folder, one control plane. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import {
  messageOf,
  randomBytes,
  Secret,
  systemCode,
  withoutPassword,
  writeFileDurably,
} from '#base';
import { errors } from '../errors.ts';

export type StateFolder = {
  root: string;
  /** Held by the kernel for the running control plane. */
  lockFile: string;
  /** Who runs: `RunningServer` as JSON. */
  serverFile: string;
  tokenFile: string;
  portFile: string;
  logFile: string;
  catalog: string;
  /** Present where the catalog is a shared one: its address, without the password. */
  sharedCatalogFile: string;
  /** Below it a folder for each store. */
  stores: string;
  recoveries: string;
  /** Copies that proofs look at, each as long as it is looked at. */
  proofs: string;
};

/** `HOLDFAST_STATE`; as root /var/lib/holdfast, which Postgres' own user can reach; else XDG's state folder. */
export function stateFolder(variables: NodeJS.ProcessEnv = process.env): StateFolder {
  const root = path.resolve(variables.HOLDFAST_STATE || defaultRoot(variables));
  return {
    root,
    lockFile: path.join(root, 'lock'),
    serverFile: path.join(root, 'server.json'),
    tokenFile: path.join(root, 'token'),
    portFile: path.join(root, 'port'),
    logFile: path.join(root, 'server.log'),
    catalog: path.join(root, 'catalog'),
    sharedCatalogFile: path.join(root, 'shared-catalog'),
    stores: path.join(root, 'stores'),
    recoveries: path.join(root, 'recoveries'),
    proofs: path.join(root, 'proofs'),
  };
}

function defaultRoot(variables: NodeJS.ProcessEnv): string {
  if (process.getuid?.() === 0) return '/var/lib/holdfast';
  const base = variables.XDG_STATE_HOME || path.join(os.homedir(), '.local/state');
  return path.join(base, 'holdfast');
}

/** Makes it where absent. Others may pass through (databases run as a user of their own) but see no names. */
export async function prepareStateFolder(folder: StateFolder): Promise<void> {
  try {
    await fs.mkdir(folder.root, { recursive: true, mode: 0o711 });
    await fs.access(folder.root, fs.constants.W_OK | fs.constants.X_OK);
    await fs.mkdir(folder.stores, { recursive: true, mode: 0o700 });
    await fs.mkdir(folder.recoveries, { recursive: true, mode: 0o711 });
  } catch (error) {
    throw errors.stateFolder([folder.root, messageOf(error)], { cause: error });
  }
}

export type RunningServer = {
  pid: number;
  /** Of the process, see `processIdentity`. */
  identity?: string;
  url: string;
  startedAtMs: number;
  version: string;
};

export async function writeRunningServer(folder: StateFolder, server: RunningServer) {
  await writeFileDurably(folder.serverFile, `${JSON.stringify(server)}\n`);
}

/** What the last control plane wrote: it may have ended since. Undefined where there was none. */
export async function readRunningServer(folder: StateFolder): Promise<RunningServer | undefined> {
  try {
    return JSON.parse(await fs.readFile(folder.serverFile, 'utf8')) as RunningServer;
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw errors.stateFolder([folder.root, messageOf(error)], { cause: error });
  }
}

/** The address of the shared catalog, without its password; undefined where the catalog is the embedded one. */
export async function readSharedCatalog(folder: StateFolder): Promise<string | undefined> {
  try {
    return (await fs.readFile(folder.sharedCatalogFile, 'utf8')).trim();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw errors.stateFolder([folder.root, messageOf(error)], { cause: error });
  }
}

/**
 * Notes where the catalog lies. Throws `app/catalog-elsewhere` where it was a shared one and none is named now: an
 * empty embedded one in its place would look like everything was lost.
 */
export async function noteCatalog(
  folder: StateFolder,
  databaseUrl: Secret | undefined,
): Promise<void> {
  const known = await readSharedCatalog(folder);
  if (databaseUrl !== undefined) {
    const address = withoutPassword(databaseUrl.reveal());
    if (address !== known) {
      await writeFileDurably(folder.sharedCatalogFile, `${address}\n`, { mode: 0o600 });
    }
  } else if (known !== undefined) {
    throw errors.catalogElsewhere([known, folder.sharedCatalogFile]);
  }
}

/** Made once, readable by its owner alone. */
export async function apiToken(folder: StateFolder): Promise<Secret> {
  const known = await readToken(folder);
  if (known) return known;
  await writeFileDurably(folder.tokenFile, `${randomBytes(32).toString('base64url')}\n`, {
    mode: 0o600,
  });
  return (await readToken(folder)) as Secret;
}

export async function readToken(folder: StateFolder): Promise<Secret | undefined> {
  try {
    const text = (await fs.readFile(folder.tokenFile, 'utf8')).trim();
    return text === '' ? undefined : new Secret(text);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw errors.stateFolder([folder.root, messageOf(error)], { cause: error });
  }
}

/** Folder of one environment's stores, below `StateFolder.stores`. */
export function environmentFolder(
  storesFolder: string,
  environment: { name: string; stage: string },
): string {
  return path.join(storesFolder, environment.name, environment.stage);
}

/** Below a store's own folder: what this host has of its journal. */
export const spoolFolderIn = (storeFolder: string) => path.join(storeFolder, 'spool');
