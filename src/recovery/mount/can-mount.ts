/** Whether this process can mount: it may open the device, and is allowed to mount. */
import fs from 'node:fs/promises';

const CAP_SYS_ADMIN = 21n;

/** Why not, in words; undefined where it can. Nothing is tried. */
export async function whyNoMount(): Promise<string | undefined> {
  try {
    await fs.access('/dev/fuse', fs.constants.R_OK | fs.constants.W_OK);
  } catch {
    return '/dev/fuse is not there, or not for this user';
  }
  const status = await fs.readFile('/proc/self/status', 'utf8');
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0';
  const maySetUp = ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
  return maySetUp ? undefined : 'only root can mount here';
}
