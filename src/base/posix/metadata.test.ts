import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileMetadata } from '../file-metadata.ts';
import { findUser, groupName, userName } from './accounts.ts';
import { applyMetadata, readMetadata } from './metadata.ts';
import { makeDevice, makeFifo } from './special-files.ts';
import { setTimes } from './times.ts';
import { readXattrs, setXattr } from './xattrs.ts';

const asRoot = process.getuid?.() === 0;
let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-posix-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

function at(name: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name)]);
}

function makeFile(name: string | Buffer): Buffer {
  fs.writeFileSync(at(name), 'content');
  return at(name);
}

describe('readMetadata and applyMetadata', () => {
  it.each([
    ['1960', -315_619_200_000_000_000n + 7n],
    ['the nanosecond before 1970', -1n],
    ['today', 1_795_257_727_123_456_789n],
    ['2200', 7_258_118_400_999_999_999n],
  ])('carries times of %s to the nanosecond', (_, timeNs) => {
    const file = makeFile('f');
    setTimes(file, timeNs + 3n, timeNs);
    expect(readMetadata(file)).toMatchObject({ mtimeNs: timeNs, atimeNs: timeNs + 3n });
  });

  it('sets the times of a symlink itself', () => {
    const target = makeFile('target');
    const before = readMetadata(target).mtimeNs;
    fs.symlinkSync('target', at('link'));
    setTimes(at('link'), 1n, 2n);
    expect(readMetadata(at('link'))).toMatchObject({ kind: 'symlink', mtimeNs: 2n });
    expect(readMetadata(target).mtimeNs).toBe(before);
  });

  it('keeps raw bytes of names and link targets', () => {
    const name = Buffer.from([0x62, 0xff, 0xfe]);
    makeFile(name);
    fs.symlinkSync(name, at('link'));
    expect(readMetadata(at(name)).kind).toBe('file');
    expect(readMetadata(at('link')).linkTarget).toEqual(name);
  });

  it('copies an entry so that nothing but inode and ctime differs', () => {
    const original = makeFile('original');
    setXattr(original, { name: Buffer.from('user.note'), value: Buffer.from([0, 255, 10]) });
    setXattr(original, { name: Buffer.from('user.empty'), value: Buffer.alloc(0) });
    if (asRoot) fs.chownSync(original, 4_294_967_290, 3_000_000_000);
    fs.chmodSync(original, 0o6751);
    setTimes(original, 11n, -12n);
    const metadata = readMetadata(original);
    const copy = makeFile('copy');
    expect(applyMetadata(copy, metadata, { owner: 'recorded' })).toEqual([]);
    expect(comparable(readMetadata(copy))).toEqual(comparable(metadata));
  });

  it.runIf(asRoot)('sees and makes every kind of entry', async () => {
    makeFifo(at('fifo'), 0o640);
    makeDevice(at('char'), 'chardev', 0o600, 0x103n);
    makeDevice(at('block'), 'dev', 0o600, 0x10_0003n);
    const server = net.createServer().listen(`${folder}/socket`);
    await new Promise((resolve) => server.once('listening', resolve));
    expect(readMetadata(at('fifo'))).toMatchObject({ kind: 'fifo', permissions: 0o640 });
    expect(readMetadata(at('char'))).toMatchObject({ kind: 'chardev', device: 0x103n });
    expect(readMetadata(at('block'))).toMatchObject({ kind: 'dev', device: 0x10_0003n });
    expect(readMetadata(at('socket')).kind).toBe('socket');
    expect(readMetadata(at('')).kind).toBe('dir');
    await new Promise((resolve) => server.close(resolve));
  });

  it('leaves setuid off where the file is given to another owner', () => {
    const original = makeFile('original');
    fs.chmodSync(original, 0o4755);
    const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    const copy = makeFile('copy');
    expect(applyMetadata(copy, readMetadata(original), { owner })).toEqual([]);
    expect(readMetadata(copy).permissions).toBe(0o755);
  });

  it('names what could not be applied and applies the rest', () => {
    const file = makeFile('f');
    const metadata = readMetadata(file);
    const foreign = { name: Buffer.from('nonsense.note'), value: Buffer.from('v') };
    const wanted = { ...metadata, permissions: 0o604, xattrs: [foreign] };
    const failures = applyMetadata(file, wanted, { owner: 'current' });
    expect(failures).toEqual([{ part: 'xattr', code: 'ENOTSUP', attribute: 'nonsense.note' }]);
    expect(readMetadata(file).permissions).toBe(0o604);
  });
});

describe('extended attributes', () => {
  it('hold the largest value and many names', () => {
    const file = makeFile('f');
    const attributes = Array.from({ length: 20 }, (_, index) => ({
      name: Buffer.from(`user.name-${index}`),
      value: Buffer.alloc(100, index),
    }));
    for (const attribute of attributes) setXattr(file, attribute);
    const largest = { name: Buffer.from('user.largest'), value: Buffer.alloc(1_500, 'v') };
    setXattr(file, largest);
    const byName = (a: { name: Buffer }, b: { name: Buffer }) => Buffer.compare(a.name, b.name);
    expect(readXattrs(file).sort(byName)).toEqual([...attributes, largest].sort(byName));
  });

  it('answers with a system error that has code and path', () => {
    expect(() => readXattrs(at('absent'))).toThrow(
      expect.objectContaining({ code: 'ENOENT', path: `${folder}/absent` }),
    );
    expect(() => readXattrs(Buffer.from('a\0b'))).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
  });
});

describe('accounts', () => {
  it('finds names by id and ids by name', () => {
    expect(userName(0)).toBe('root');
    expect(groupName(0)).toBe('root');
    expect(userName(4_294_967_290)).toBe('');
    expect(findUser('root')).toMatchObject({ uid: 0, gid: 0, home: '/root' });
    expect(findUser('nobody-has-this-name')).toBeUndefined();
  });
});

function comparable(metadata: FileMetadata): Partial<FileMetadata> {
  const { inode: _inode, ctimeNs: _ctimeNs, xattrs, ...rest } = metadata;
  const sorted = xattrs.toSorted((a, b) => Buffer.compare(a.name, b.name));
  return { ...rest, xattrs: sorted } as Partial<FileMetadata>;
}
