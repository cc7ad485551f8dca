import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { openStorage } from './all.ts';
import { describeStorage } from './conformance.ts';
import { FaultyStorage } from './faulty.ts';
import { LocalStorage } from './local/local-storage.ts';
import { storageError } from './local/system-errors.ts';
import { MemoryStorage } from './memory.ts';
import { withRetries } from './retry.ts';
import type { Storage } from './storage.ts';

const run = promisify(execFile);
const folders: string[] = [];

async function newFolder(): Promise<string> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast storage-'));
  folders.push(folder);
  return folder;
}

afterAll(async () => {
  for (const folder of folders) await fs.rm(folder, { recursive: true, force: true });
});

const runner = { describe, test, expect };
describeStorage('local', runner, async () => new LocalStorage(path.join(await newFolder(), 'new')));
describeStorage('memory', runner, async () => new MemoryStorage());
describeStorage('faulty', runner, async () => new FaultyStorage(new MemoryStorage()));
describeStorage('retrying', runner, async () => withRetries(new MemoryStorage()));

async function namesIn(storage: Storage, prefix = ''): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of storage.list(prefix)) names.push(name);
  return names.sort();
}

describe('local storage on disk', () => {
  test('writes read-only files into folders of the owner alone', async () => {
    const folder = await newFolder();
    await new LocalStorage(folder).write('data/ab/abc', [Buffer.from('x')]);
    const modeOf = async (name: string) => (await fs.stat(path.join(folder, name))).mode & 0o777;
    expect(await modeOf('data/ab/abc')).toBe(0o400);
    expect(await modeOf('data/ab')).toBe(0o700);
  });

  test('neither lists nor keeps for ever what a killed writer left', async () => {
    const folder = await newFolder();
    const storage = new LocalStorage(folder);
    await storage.write('index/a', [Buffer.from('x')]);
    const old = path.join(folder, 'index', 'b.tmp-0123abcdef45');
    const young = path.join(folder, 'index', 'c.tmp-0123abcdef45');
    await fs.writeFile(old, 'half');
    await fs.writeFile(young, 'half');
    const twoDaysAgo = Date.now() / 1000 - 2 * 86_400;
    await fs.utimes(old, twoDaysAgo, twoDaysAgo);
    expect(await namesIn(storage)).toEqual(['index/a']);
    await storage.removeLeftovers();
    expect((await fs.readdir(path.join(folder, 'index'))).sort()).toEqual([
      'a',
      'c.tmp-0123abcdef45',
    ]);
  });

  test('says that the disk is full, and leaves nothing half-written', async (context) => {
    const folder = await newFolder();
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder]).then(
      () => true,
      () => false,
    );
    if (!mounted) return context.skip('needs the right to mount');
    try {
      const storage = new LocalStorage(folder);
      await storage.write('data/aa/kept', [Buffer.alloc(100_000)]);
      await expect(storage.write('data/aa/b', [Buffer.alloc(200_000)])).rejects.toMatchObject({
        code: 'repository/storage-full',
      });
      expect(await fs.readdir(path.join(folder, 'data/aa'))).toEqual(['kept']);
    } finally {
      await run('umount', [folder]);
    }
  });

  test('knows a full disk by what the system says', async () => {
    const full = await fs.writeFile('/dev/full', 'x').catch((error: unknown) => error);
    expect(storageError(full, 'writing', 'a', '/srv')).toMatchObject({
      code: 'repository/storage-full',
      message: 'no space left in /srv',
      retryable: false,
    });
  });
});

describe('addresses', () => {
  test('take folders, file URLs and named memories', async () => {
    const folder = await newFolder();
    await (await openStorage(`file://${folder.replace(' ', '%20')}`)).write('a', [
      Buffer.from('1'),
    ]);
    expect((await (await openStorage(folder)).read('a')).toString()).toBe('1');
    await (await openStorage('memory:m1')).write('a', [Buffer.from('2')]);
    expect((await (await openStorage('memory:m1')).read('a')).toString()).toBe('2');
    expect(await (await openStorage('memory:m2')).stat('a')).toBeUndefined();
  });

  test('name what is not there yet', async () => {
    await expect(openStorage('sftp:host:/folder')).rejects.toMatchObject({
      code: 'repository/storage-not-yet',
      kind: 'invalid',
      message: 'repositories on "sftp:" are not yet supported',
    });
    await expect(openStorage('gopher://x')).rejects.toMatchObject({
      code: 'repository/storage-unknown',
    });
  });
});

describe('retries', () => {
  test('pass over errors that pass', async () => {
    const faulty = new FaultyStorage(new MemoryStorage(), [
      { on: 'write', fault: { kind: 'error' }, times: 2 },
      { on: 'read', fault: { kind: 'timeout', afterMs: 1 } },
      { on: 'list', fault: { kind: 'error' } },
    ]);
    const storage = withRetries(faulty, { firstPauseMs: 1 });
    await storage.write('a', [Buffer.from('x')]);
    expect((await storage.read('a')).toString()).toBe('x');
    expect(await namesIn(storage)).toEqual(['a']);
    expect(faulty.calls).toEqual([
      'write a',
      'write a',
      'write a',
      'read a',
      'read a',
      'list ',
      'list ',
    ]);
  });

  test('end after the last attempt, and never begin for what cannot pass', async () => {
    const faulty = new FaultyStorage(new MemoryStorage(), [
      { on: 'write', name: /^a$/, fault: { kind: 'error' }, times: Number.POSITIVE_INFINITY },
      { on: 'write', name: /^b$/, fault: { kind: 'full' } },
    ]);
    const storage = withRetries(faulty, { firstPauseMs: 1, attempts: 3 });
    await expect(storage.write('a', [])).rejects.toMatchObject({
      code: 'repository/storage-failed',
    });
    await expect(storage.write('b', [])).rejects.toMatchObject({ code: 'repository/storage-full' });
    expect(faulty.calls).toEqual(['write a', 'write a', 'write a', 'write b']);
  });
});

describe('faulty storage', () => {
  test('does what its script says', async () => {
    const inner = new MemoryStorage();
    const faulty = new FaultyStorage(inner, [
      { on: 'write', name: /cut/, fault: { kind: 'cut', keepBytes: 2 } },
      { on: 'write', name: /late/, fault: { kind: 'late' } },
      { on: 'write', name: /lost/, fault: { kind: 'lost' } },
      { on: 'read', name: /flip/, after: 1, fault: { kind: 'wrong-bytes', atByte: 1 } },
      { on: 'list', after: 1, fault: { kind: 'stale-list' } },
    ]);
    for (const name of ['cut', 'late', 'lost', 'flip']) {
      await faulty.write(name, [Buffer.from('abcd')]);
    }
    expect((await faulty.read('cut')).toString()).toBe('ab');
    expect((await faulty.read('flip')).toString()).toBe('abcd');
    expect((await faulty.read('flip')).toString()).toBe('accd');
    expect(await namesIn(faulty)).toEqual(['cut', 'flip']);
    await faulty.settle();
    expect(await namesIn(faulty)).toEqual(['cut', 'flip']);
    expect(await namesIn(faulty)).toEqual(['cut', 'flip', 'late']);
  });
});
