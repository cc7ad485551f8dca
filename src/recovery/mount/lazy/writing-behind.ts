/**
 * How much of what programs wrote to a mount the kernel may hold back. By itself it lets a FUSE file system have a
 * hundredth of what it holds back at all, and who writes more waits for each page to be handed to us: what replaying WAL
 * writes comes in one go, and the server must not answer before it has all been taken.
 */
import fs from 'node:fs';

/** Of the kernel's own bound (`vm.dirty_ratio`), for one mount. Several may reach it: together they keep to the whole. */
const SHARE_PERCENT = 10;

/** Does nothing where that isn't ours to say (without root, in a container): writing then waits. */
export function allowWritingBehind(mountPoint: string): void {
  const device = deviceOf(mountPoint);
  if (device === undefined) return;
  try {
    fs.writeFileSync(`/sys/class/bdi/${device}/max_ratio`, `${SHARE_PERCENT}`);
  } catch {
    // EACCES, EROFS, ENOENT: it works all the same.
  }
}

/** `major:minor`, without a look at the mount itself, which would wait for who asks. Undefined where it isn't seen from here. */
export function deviceOf(mountPoint: string): string | undefined {
  const escaped = mountPoint.replaceAll(
    /[ \t\n\\]/g,
    (each) => `\\${each.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
  const lines = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  const words = lines
    .map((line) => line.split(' '))
    .findLast(([, , , , place]) => place === escaped);
  return words?.[2];
}
