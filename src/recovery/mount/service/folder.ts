/** Where the mount service of a repository lies on this host: by a short name, for a socket's path is bounded. */
import { hash } from 'node:crypto';
import path from 'node:path';

const NAME_LENGTH = 16;

/** `root`: of the recoveries that it serves. Gone with a reboot, as the mounts are. */
export function mountServiceFolder(root: string, repositoryId: string): string {
  const name = hash('sha256', `${path.resolve(root)}\n${repositoryId}`).slice(0, NAME_LENGTH);
  return path.join('/run/holdfast/mounts', name);
}
