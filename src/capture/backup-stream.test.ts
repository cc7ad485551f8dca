import { afterAll, beforeAll, expect, test } from 'vitest';
import { randomBytes, Secret } from '#base';
import { createRepository, findPath, openStorage, type Repository } from '#repository';
import { backupStream } from './backup-stream.ts';

let repository: Repository;

beforeAll(async () => {
  const storage = await openStorage('memory:streams');
  const scrypt = { N: 1024, r: 8, p: 1 };
  repository = await createRepository({ storage, password: new Secret('p'), scrypt });
});

afterAll(() => repository.close());

async function* pieces(...given: (Buffer | Error)[]) {
  for (const piece of given) {
    if (piece instanceof Error) throw piece;
    yield piece;
  }
}

async function contentOf(tree: string, name: string): Promise<Buffer> {
  await repository.loadIndex();
  const found = await findPath(repository, tree, Buffer.from(name));
  const ids = found?.node?.content as Buffer;
  const blobs: Buffer[] = [];
  for (let at = 0; at < ids.length; at += 32) {
    blobs.push(await repository.readBlob('data', ids.subarray(at, at + 32)));
  }
  return Buffer.concat(blobs);
}

test('a stream becomes one file, below the folders that its name says', async () => {
  const body = randomBytes(3_000_000);
  const { snapshot, sizeBytes } = await backupStream(
    repository,
    pieces(body.subarray(0, 7), body.subarray(7, 2_000_000), body.subarray(2_000_000)),
    { name: '/dumps/shop/orders.sql', tags: ['nightly'] },
  );
  expect(sizeBytes).toBe(body.length);
  expect(snapshot).toMatchObject({ paths: ['/dumps/shop/orders.sql'], tags: ['nightly'] });
  expect((await contentOf(snapshot.tree, 'dumps/shop/orders.sql')).equals(body)).toBe(true);
});

test('nothing is an empty file', async () => {
  const { snapshot, sizeBytes } = await backupStream(repository, pieces(), { name: 'empty' });
  expect(sizeBytes).toBe(0);
  expect(await contentOf(snapshot.tree, 'empty')).toHaveLength(0);
});

test('one that fails or is cut leaves no snapshot and no lock', async () => {
  const before = await repository.snapshots.ids();
  const failing = pieces(Buffer.alloc(100_000), new Error('the program died'));
  await expect(backupStream(repository, failing, { name: 'x' })).rejects.toThrow('died');
  const stop = new AbortController();
  const cut = backupStream(repository, pieces(Buffer.alloc(10), Buffer.alloc(10)), {
    name: 'x',
    signal: stop.signal,
    progress: () => stop.abort(new Error('interrupted')),
  });
  await expect(cut).rejects.toThrow('interrupted');
  expect(await repository.snapshots.ids()).toEqual(before);
  expect(await repository.files.list('locks')).toEqual([]);
});

test.each(['', '/', '..', 'a/../b', 'a/', 'a\0b'])('%j is no name', async (name) => {
  await expect(backupStream(repository, pieces(), { name })).rejects.toMatchObject({
    code: 'capture/stream-unnamed',
  });
});
