/**
 * Mount points: made by the system's mount command, which is handed the open device, or for who isn't root by its helper;
 * no library stands between.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { errors } from '../../errors.ts';
import { endOf, mayMount, mountByHelper, unmountLines } from './mount-way.ts';

const DEVICE = '/dev/fuse';

export type KernelMountOptions = {
  /** Lets other users in than the one who mounts, where that is root; permissions are kept either way. */
  allowOthers: boolean;
  readOnly: boolean;
};

export type KernelMount = {
  /** The open device: requests are read from it, answers written to it. */
  descriptor: number;
  /** Takes the mount point away; whoever still uses it sees errors from then on. Idempotent. */
  unmount(): Promise<void>;
  /** After `unmount`, when nothing reads from the device any more. */
  close(): void;
};

/**
 * Without devices and setuid. Should this process die in whatever way, the mount point goes too. Throws
 * `recovery/fuse-absent`, `recovery/fuse-refused`, `recovery/mount-failed`.
 */
export async function mountDevice(
  folder: string,
  options: KernelMountOptions,
): Promise<KernelMount> {
  const descriptor = (await mayMount())
    ? await mountDirectly(folder, options)
    : await mountByHelper(folder, options.readOnly);
  const guard = await startGuard(folder);
  let unmounted: Promise<void> | undefined;
  return {
    descriptor,
    unmount: () => {
      unmounted ??= endGuard(guard);
      return unmounted;
    },
    close: () => fs.closeSync(descriptor),
  };
}

async function mountDirectly(folder: string, options: KernelMountOptions): Promise<number> {
  const descriptor = openDevice();
  try {
    await runMount(descriptor, folder, options);
    return descriptor;
  } catch (error) {
    fs.closeSync(descriptor);
    throw error;
  }
}

function openDevice(): number {
  try {
    return fs.openSync(DEVICE, 'r+');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM') throw errors.fuseRefused([DEVICE], { cause });
    throw errors.fuseAbsent([DEVICE, code ?? 'unknown'], { cause });
  }
}

async function runMount(
  descriptor: number,
  folder: string,
  { allowOthers, readOnly }: KernelMountOptions,
): Promise<void> {
  const options = [
    ...['fd=3', 'rootmode=40000', `user_id=${process.getuid?.() ?? 0}`],
    ...[`group_id=${process.getgid?.() ?? 0}`, 'default_permissions', 'nosuid', 'nodev'],
    ...(readOnly ? ['ro'] : []),
    ...(allowOthers ? ['allow_other'] : []),
  ].join(',');
  const words = ['-i', '-t', 'fuse.holdfast', '-o', options, 'holdfast', folder];
  const child = spawn('mount', words, { stdio: ['ignore', 'ignore', 'pipe', descriptor] });
  const failure = await endOf(child);
  if (failure !== '') throw errors.mountFailed([folder, failure]);
}

/**
 * A shell that outlives this process by one command: when its input ends, because we say so or because we are gone, it
 * unmounts. A dead mount would hang or fail everybody who looks at the folder.
 */
async function startGuard(folder: string): Promise<ChildProcess> {
  const { idle, anyhow } = await unmountLines();
  const lines = `cat >/dev/null; ${idle} 2>/dev/null || ${anyhow} 2>/dev/null; exit 0`;
  const guard = spawn('sh', ['-c', lines, 'holdfast-unmount', folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // A Ctrl-C in the terminal is for us to answer: it must not end the guard.
    detached: true,
  });
  guard.unref();
  return guard;
}

async function endGuard(guard: ChildProcess): Promise<void> {
  if (guard.exitCode !== null) return;
  guard.ref();
  const ended = once(guard, 'exit');
  guard.stdin?.end();
  await ended;
}
