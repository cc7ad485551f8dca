/** Where the mount service of a repository lies on this host: by a short name, for a socket's path is bounded. */
import { hash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { errors } from '../../errors.ts';

const NAME_LENGTH = 16;

/** `root`: of the recoveries that it serves. Gone with a reboot, as the mounts are. */
export function mountServiceFolder(root: string, repositoryId: string): string {
  const name = hash('sha256', `${path.resolve(root)}\n${repositoryId}`).slice(0, NAME_LENGTH);
  return path.join(runFolder(), 'mounts', name);
}

/** Of this user alone: whoever speaks with what listens there has it mount for them. Throws `recovery/run-folder-taken`. */
function runFolder(): string {
  const uid = process.getuid?.() ?? 0;
  if (uid === 0) return '/run/holdfast';
  const { XDG_RUNTIME_DIR: given } = process.env;
  if (given) return path.join(given, 'holdfast');
  const folder = path.join(os.tmpdir(), `holdfast-${uid}`);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const stat = fs.lstatSync(folder);
  const isOurs = stat.isDirectory() && stat.uid === uid && (stat.mode & 0o077) === 0;
  if (!isOurs) throw errors.runFolderTaken([folder]);
  return folder;
}

/** Held while a service is started or takes its folder away: of all services, so that it can stay when a folder goes. */
export function startLockOf(folder: string): string {
  return path.join(path.dirname(folder), 'lock');
}

/** What an ended service leaves: nothing, unless its log says something. With the lock held. */
export async function clearServiceFolder(folder: string): Promise<void> {
  const log = path.join(folder, 'log');
  const stat = await fs.promises.stat(log).catch(() => undefined);
  if (stat?.size !== 0) return;
  await fs.promises.rm(folder, { recursive: true, force: true });
}

/**
 * What all mounts of this host keep of repositories far away, encrypted as it is stored there; only the service's own user
 * may look, so that nothing that runs on a clone can. Whoever isn't root has it with his other copies.
 */
export function rangeCacheFolder(): string {
  if (process.getuid?.() === 0) return '/var/cache/holdfast/mounts';
  const base = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
  return path.join(base, 'holdfast', 'mounts');
}
