/** The same random changes on two folders, which must answer alike. */
import fs from 'node:fs';
import path from 'node:path';
import { allocateRange, readXattrs, removeXattr, setXattr } from '#base';

/** Numbers from 0 to before `below`, the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const XATTR = Buffer.from('user.changed');
const PUNCH_HOLE = 2 | 1;
const ZERO_RANGE = 16 | 1;

type Change = (root: string) => unknown;

/** One change, as something that can be done in either folder; what it answers is compared. */
export function randomChange(random: (below: number) => number, files: readonly string[]): Change {
  const name = () => files[random(files.length)] as string;
  const other = () => (random(2) === 0 ? name() : `new-${random(8)}`);
  const first = name();
  const second = other();
  const offset = random(random(4) === 0 ? 64 : 600_000);
  const lengthBytes = 1 + random(random(2) === 0 ? 9_000 : 200_000);
  const filler = random(256);
  const removes = random(3) === 0;
  const at = (root: string, file: string) => path.join(root, file);
  const opened = (flags: string, work: (descriptor: number) => unknown) => (root: string) => {
    const descriptor = fs.openSync(at(root, first), flags);
    try {
      return work(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
  };
  const changes: Change[] = [
    opened('r+', (fd) =>
      fs.writeSync(fd, Buffer.alloc(lengthBytes, filler), 0, lengthBytes, offset),
    ),
    opened('r+', (fd) =>
      fs.writeSync(fd, Buffer.alloc(lengthBytes, filler), 0, lengthBytes, offset),
    ),
    opened('r', (fd) => {
      const bytes = Buffer.alloc(lengthBytes);
      return bytes.subarray(0, fs.readSync(fd, bytes, 0, lengthBytes, offset)).toString('latin1');
    }),
    opened('a', (fd) => fs.writeSync(fd, `appended ${filler}`)),
    opened('r+', (fd) => fs.ftruncateSync(fd, offset)),
    opened('r+', (fd) => fs.fsyncSync(fd)),
    opened('r+', (fd) => allocateRange(fd, PUNCH_HOLE, BigInt(offset), BigInt(lengthBytes))),
    opened('r+', (fd) => allocateRange(fd, ZERO_RANGE, BigInt(offset), BigInt(lengthBytes))),
    opened('r+', (fd) => allocateRange(fd, 0, BigInt(offset), BigInt(lengthBytes))),
    (root) => fs.renameSync(at(root, first), at(root, second)),
    (root) => fs.linkSync(at(root, first), at(root, second)),
    (root) => fs.writeFileSync(at(root, second), `made ${filler}`),
    (root) => (removes ? fs.unlinkSync(at(root, second)) : undefined),
    (root) => fs.truncateSync(at(root, first), offset),
    (root) => fs.chmodSync(at(root, first), 0o600 + (filler & 0o77)),
    (root) => fs.copyFileSync(at(root, first), at(root, `new-${filler % 8}`)),
    (root) => fs.mkdirSync(at(root, `folder-${filler % 3}`)),
    (root) => fs.renameSync(at(root, first), at(root, `folder-${filler % 3}/moved-${offset % 3}`)),
    (root) => fs.statSync(at(root, first)).size,
    (root) => setXattr(Buffer.from(at(root, first)), { name: XATTR, value: Buffer.of(filler) }),
    (root) => removeXattr(Buffer.from(at(root, first)), XATTR),
    (root) => String(readXattrs(Buffer.from(at(root, first))).map(({ value }) => value[0])),
  ];
  return changes[random(changes.length)] as Change;
}

/** What it answered, or the code of its error. */
export function outcome(change: Change, root: string): unknown {
  try {
    return change(root) ?? null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
