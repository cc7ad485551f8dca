/** What every storage must do. Run it in the tests of each: `describeStorage('local', () => new LocalStorage(folder))`. */
import { randomBytes } from '#base';
import { namesIn } from './names-in.ts';
import type { Storage } from './storage.ts';

/** The test runner's own functions, handed in so that this file can be imported without one. */
export type TestRunner = {
  describe: (name: string, body: () => void) => void;
  test: (name: string, body: () => Promise<void>) => void;
  expect: typeof import('vitest').expect;
};

export function describeStorage(
  kind: string,
  runner: TestRunner,
  open: () => Promise<Storage>,
): void {
  runner.describe(`${kind} storage`, () => {
    describeBytes(runner, open);
    describeNames(runner, open);
  });
}

function describeBytes({ test, expect }: TestRunner, open: () => Promise<Storage>): void {
  test('gives back what was written, whole and by range', async () => {
    const storage = await open();
    const bytes = randomBytes(100_000);
    await storage.write('data/ab/abc', [bytes.subarray(0, 10), bytes.subarray(10)]);
    expect(await storage.read('data/ab/abc')).toEqual(bytes);
    const range = { offset: 99_000, length: 1_000 };
    expect(await storage.read('data/ab/abc', range)).toEqual(bytes.subarray(99_000));
    expect(await storage.read('data/ab/abc', { offset: 5, length: 0 })).toHaveLength(0);
    expect(await storage.stat('data/ab/abc')).toEqual({ name: 'data/ab/abc', sizeBytes: 100_000 });
  });

  test('keeps an empty file', async () => {
    const storage = await open();
    await storage.write('empty', []);
    expect(await storage.read('empty')).toHaveLength(0);
    expect(await storage.stat('empty')).toEqual({ name: 'empty', sizeBytes: 0 });
  });

  test('refuses a range past the end, and a file that is absent', async () => {
    const storage = await open();
    await storage.write('short', [Buffer.from('abc')]);
    await expect(storage.read('short', { offset: 1, length: 3 })).rejects.toMatchObject({
      code: 'repository/short-read',
    });
    await expect(storage.read('nowhere')).rejects.toMatchObject({
      code: 'repository/not-in-storage',
    });
    expect(await storage.stat('nowhere')).toBeUndefined();
  });

  test('replaces a file as a whole', async () => {
    const storage = await open();
    await storage.write('holdfast/a', [Buffer.from('first and longer')]);
    await storage.write('holdfast/a', [Buffer.from('second')]);
    expect((await storage.read('holdfast/a')).toString()).toBe('second');
  });

  test('hands out memory of its own', async () => {
    const storage = await open();
    await storage.write('own', [Buffer.from('abc')]);
    const first = await storage.read('own');
    expect(first.buffer.byteLength).toBe(3);
    first.fill(0);
    expect((await storage.read('own')).toString()).toBe('abc');
  });

  test('takes many writes of one name at once, and keeps one of them whole', async () => {
    const storage = await open();
    const contents = Array.from({ length: 8 }, (_, i) => Buffer.alloc(50_000, i));
    await Promise.all(contents.map((content) => storage.write('race', [content])));
    const kept = await storage.read('race');
    expect(contents.some((content) => content.equals(kept))).toBe(true);
  });
}

function describeNames({ test, expect }: TestRunner, open: () => Promise<Storage>): void {
  test('lists by prefix, also one that ends within a name', async () => {
    const storage = await open();
    for (const name of ['keys/a', 'data/00/x', 'data/0f/y', 'holdfast/points/a1', 'holdfast/po']) {
      await storage.write(name, [Buffer.from(name)]);
    }
    const names = async (prefix: string) => {
      const found: string[] = [];
      for await (const file of storage.list(prefix)) {
        expect(file.sizeBytes).toBe(file.name.length);
        found.push(file.name);
      }
      const alone: string[] = [];
      for await (const name of namesIn(storage, prefix)) alone.push(name);
      expect(alone.sort()).toEqual(found.sort());
      return found;
    };
    expect(await names('data/')).toEqual(['data/00/x', 'data/0f/y']);
    expect(await names('holdfast/po')).toEqual(['holdfast/po', 'holdfast/points/a1']);
    expect(await names('data/0')).toEqual(['data/00/x', 'data/0f/y']);
    expect(await names('none/')).toEqual([]);
    expect(await names('')).toHaveLength(5);
  });

  test('removes, and removes what is not there', async () => {
    const storage = await open();
    await storage.write('locks/a', [Buffer.from('x')]);
    await storage.remove('locks/a');
    await storage.remove('locks/a');
    await storage.remove('other/never/was');
    expect(await storage.stat('locks/a')).toBeUndefined();
  });

  test('refuses names that could lead elsewhere', async () => {
    const storage = await open();
    for (const name of ['../x', '/etc/passwd', 'a//b', 'a/./b', '', 'a/..', 'a\0b', 'a\\b']) {
      await expect(storage.read(name)).rejects.toMatchObject({ code: 'repository/bad-name' });
      await expect(storage.write(name, [])).rejects.toMatchObject({ code: 'repository/bad-name' });
    }
  });
}
