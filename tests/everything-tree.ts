/** A folder that holds everything a POSIX file system can, and a description of a folder that two can be compared by. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import { applyMetadata, makeDevice, makeFifo, readMetadata, setTimes, setXattr } from '#base';
import { walkTree } from '#sources';

export const isRoot = process.geteuid?.() === 0;

/** Fills an absent folder. Sockets aren't in it: nothing restores them (see `makeSocket`). */
export function makeEverythingTree(folder: string): void {
  const at = (name: string | Buffer) =>
    Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name)]);
  fs.mkdirSync(at('deep/er/est'), { recursive: true });
  fs.mkdirSync(at('empty-folder'));
  fs.writeFileSync(at('empty'), '');
  fs.writeFileSync(at('text'), 'some text\n');
  fs.writeFileSync(at('deep/er/est/large'), patterned(5_000_000));
  fs.writeFileSync(at(Buffer.from('not-utf8-\xff\xfe\x80', 'latin1')), 'raw');
  fs.writeFileSync(at('astral-\u{1f600}-\u{10ffff}'), 'astral');
  fs.writeFileSync(
    at('astral-\uffee'),
    'sorts before the astral ones as bytes, after them in JavaScript',
  );
  fs.writeFileSync(at('quotes"\\and\nlines<>&\u2028'), 'escapes');
  fs.mkdirSync(at(Buffer.from('folder-\xe4', 'latin1')));
  fs.writeFileSync(at(Buffer.from('folder-\xe4/inside', 'latin1')), 'inside');
  makeSparse(at('sparse'), 64 * 1024 * 1024);
  fs.linkSync(at('text'), at('deep/same-text'));
  fs.linkSync(at('text'), at('zz-same-text'));
  fs.symlinkSync('text', at('link'));
  fs.symlinkSync('/nowhere/\u00e4', at('link-dangling'));
  fs.symlinkSync(Buffer.from('raw-\xff', 'latin1'), at('link-raw'));
  makeFifo(at('fifo'), 0o640);
  setXattr(at('text'), { name: Buffer.from('user.note'), value: Buffer.from([0, 1, 255]) });
  setXattr(at('text'), { name: Buffer.from('user.empty'), value: Buffer.alloc(0) });
  setXattr(at('deep'), { name: Buffer.from('user.folder'), value: Buffer.from('on a folder') });
  if (isRoot) fillAsRoot(at);
  fs.chmodSync(at('text'), 0o4751);
  fs.chmodSync(at('deep/er'), 0o3775);
  fs.chmodSync(at('empty-folder'), 0o500);
  setTimes(at('empty'), -315_619_200_000_000_000n + 7n, -315_619_200_000_000_000n + 7n);
  setTimes(at('fifo'), 7_258_118_400_123_456_789n, 7_258_118_400_123_456_789n);
  setTimes(at('link'), 1_000_000_001n, 1_000_000_001n);
  setTimes(at('deep/er/est'), 1_234_567_890_123_456_789n, 1_234_567_890_123_456_789n);
  setTimes(at('deep/er'), -1n, -1n);
}

function fillAsRoot(at: (name: string) => Buffer): void {
  makeDevice(at('null'), 'chardev', 0o666, 0x103n);
  makeDevice(at('block'), 'dev', 0o600, 0x10_0003n);
  fs.writeFileSync(at('large-ids'), 'uid over 2^31');
  fs.chownSync(at('large-ids'), 4_294_967_290, 3_000_000_000);
  fs.writeFileSync(at('capable'), 'file capabilities');
  const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
  setXattr(at('capable'), { name: Buffer.from('security.capability'), value: capability });
  fs.lchownSync(at('link-dangling'), 1234, 5678);
  const deep = readMetadata(at('deep'));
  applyMetadata(at('deep'), { ...deep, uid: 1001, gid: 1002 }, { owner: 'recorded' });
}

/** One megabyte of data in the middle and one byte at the end; holes elsewhere. */
export function makeSparse(path: Buffer, sizeBytes: number): void {
  const fd = fs.openSync(path, 'wx');
  fs.writeSync(fd, patterned(1024 * 1024), 0, 1024 * 1024, sizeBytes / 2);
  fs.writeSync(fd, 'e', sizeBytes - 1);
  fs.closeSync(fd);
}

export async function makeSocket(path: string): Promise<() => Promise<void>> {
  const server = net.createServer().listen(path);
  await new Promise((resolve) => server.once('listening', resolve));
  return () => new Promise((resolve) => server.close(() => resolve()));
}

export type EntryDescription = Record<string, unknown>;

/**
 * Everything that a restore must bring back, by path (latin1): two folders are the same when these are equal.
 * Inode numbers are replaced by the first path of the same file; times of access are left out unless asked for.
 */
export async function describeTree(
  folder: string,
  options: { atime?: boolean } = {},
): Promise<Map<string, EntryDescription>> {
  const described = new Map<string, EntryDescription>();
  const firstNames = new Map<bigint, string>();
  const { signal } = new AbortController();
  for await (const event of walkTree(Buffer.from(folder), { signal })) {
    if (event.kind === 'problem') throw new Error(`${event.path}: ${event.what}`);
    if (event.kind !== 'entry') continue;
    const path = event.path.toString('latin1');
    const { inode, deviceId, ctimeNs, atimeNs, xattrs, links, ...rest } = event.metadata;
    const sameAs = firstNames.get(inode) ?? path;
    firstNames.set(inode, sameAs);
    described.set(path, {
      ...rest,
      ...(rest.kind === 'dir' ? {} : { links, sameAs }),
      ...(options.atime ? { atimeNs } : {}),
      linkTarget: rest.linkTarget?.toString('latin1'),
      xattrs: xattrs.map(({ name, value }) => `${name}=${value.toString('hex')}`).sort(),
      ...(event.content.from === 'path' ? { sha256: hashFile(event.content.absolutePath) } : {}),
    });
  }
  return described;
}

/** Bytes that the file takes on disk. */
export function allocatedBytes(path: string | Buffer): number {
  return fs.statSync(path).blocks * 512;
}

function hashFile(path: Buffer): string {
  const hash = createHash('sha256');
  const fd = fs.openSync(path, 'r');
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  for (let got = -1; got !== 0; ) {
    got = fs.readSync(fd, buffer);
    hash.update(buffer.subarray(0, got));
  }
  fs.closeSync(fd);
  return hash.digest('hex');
}

/** Incompressible enough, and the same each time. */
function patterned(sizeBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(sizeBytes);
  for (let at = 0, state = 12_345; at < sizeBytes; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 16;
  }
  return bytes;
}
