/**
 * How this process may mount and unmount: root by the system's own commands; an ordinary user by fusermount3, which
 * hosts have that let their users mount (Debian: the package fuse3). It opens the device as the user, mounts, and hands
 * the open device over.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { openDescriptorChannel } from '#base';
import { errors } from '../../errors.ts';

const CAP_SYS_ADMIN = 21n;
export const HELPER = 'fusermount3';
const SHOWN_BYTES = 2000;

/** True where this process may mount by itself. */
export async function mayMount(): Promise<boolean> {
  const status = await fs.readFile('/proc/self/status', 'utf8');
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}

export async function hasHelper(): Promise<boolean> {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
  for (const folder of folders) {
    const isThere = await fs.access(path.join(folder, HELPER), fs.constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return true;
  }
  return false;
}

/** The lines of sh that unmount `$1` for this user: where nobody uses it, and whoever does. */
export async function unmountLines(): Promise<{ idle: string; anyhow: string }> {
  if (await mayMount()) return { idle: 'umount -- "$1"', anyhow: 'umount -f -l -- "$1"' };
  return { idle: `${HELPER} -u -q -- "$1"`, anyhow: `${HELPER} -u -q -z -- "$1"` };
}

/** Resolves to the open device. Throws `recovery/mount-failed`. */
export async function mountByHelper(folder: string, readOnly: boolean): Promise<number> {
  const channel = openDescriptorChannel();
  try {
    const options = ['default_permissions', 'nosuid', 'nodev', 'fsname=holdfast'];
    const words = [...options, 'subtype=holdfast', ...(readOnly ? ['ro'] : [])].join(',');
    const child = spawn(HELPER, ['-o', words, '--', folder], {
      stdio: ['ignore', 'ignore', 'pipe', channel.theirs],
      env: { ...process.env, _FUSE_COMMFD: '3' },
    });
    const said = await endOf(child);
    const descriptor = channel.take();
    if (descriptor === undefined) throw errors.mountFailed([folder, said || 'no device came']);
    return descriptor;
  } finally {
    channel.close();
  }
}

/** Resolves to what it said where it failed, else to nothing. */
export async function endOf(child: ReturnType<typeof spawn>): Promise<string> {
  let said = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    if (said.length < SHOWN_BYTES) said += bytes.toString('utf8');
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  return code === 0 ? '' : said.trim() || `${child.spawnfile} ended with ${code}`;
}
