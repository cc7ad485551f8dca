/** Whether this process can mount: it may open the device, and is allowed to mount, or helped to. */
import fs from 'node:fs/promises';
import { HELPER, hasHelper, mayMount } from './fuse/mount-way.ts';

/** Why not, in words; undefined where it can. Nothing is tried. */
export async function whyNoMount(): Promise<string | undefined> {
  try {
    await fs.access('/dev/fuse', fs.constants.R_OK | fs.constants.W_OK);
  } catch {
    return '/dev/fuse is not there, or not for this user';
  }
  if ((await mayMount()) || (await hasHelper())) return undefined;
  return `only root can mount here; ${HELPER} lets others do so (Debian: apt-get install fuse3)`;
}
