import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Secret } from '#base';
import { createRepository, type Repository } from '#repository';
import { saveFolder } from '../../../../tests/restic-compatibility/save-folder.ts';
import { FAST_SCRYPT } from '../../../repository/restic.fixture.ts';
import { MemoryStorage } from '../../../repository/storage/memory.ts';
import { restoreTree } from '../../restore/index.ts';
import { RecentTrees } from './recent-trees.ts';

let folder: string;
let repository: Repository;
let tree: string;
let treesRead = 0;

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-recent-trees-'));
  const from = path.join(folder, 'from');
  for (const name of ['a', 'b/c', 'b/d']) {
    fs.mkdirSync(path.join(from, name), { recursive: true });
    fs.writeFileSync(path.join(from, name, 'file'), name.repeat(1000));
  }
  const password = new Secret('p');
  repository = await createRepository({
    ...{ storage: new MemoryStorage(), password, scrypt: FAST_SCRYPT },
  });
  ({ tree } = await saveFolder(repository, from));
});
afterAll(async () => {
  await repository.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

/** Counts the trees that are asked for. */
const counting: Pick<Repository, 'index' | 'readBlobs' | 'placeBlobs'> = {
  get index() {
    return repository.index;
  },
  readBlobs: (type, ids, ...others) => {
    if (type === 'tree') treesRead += ids.length / 32;
    return repository.readBlobs(type, ids, ...others);
  },
  placeBlobs: (...words) => repository.placeBlobs(...words),
};

async function restore(knownTrees: RecentTrees): Promise<{ asked: number; shown: string[] }> {
  const target = fs.mkdtempSync(path.join(folder, 'to-'));
  treesRead = 0;
  const { problems } = await restoreTree({ repository: counting, tree, target, knownTrees });
  expect(problems).toEqual([]);
  const shown = fs
    .readdirSync(target, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => fs.readFileSync(path.join(parentPath, name), 'utf8'));
  return { asked: treesRead, shown: shown.sort() };
}

test('what was read once isn’t read again, and comes back the same', async () => {
  const trees = new RecentTrees();
  const first = await restore(trees);
  expect(first.asked).toBe(5);
  expect(await restore(trees)).toEqual({ ...first, asked: 0 });
});

test('what was read before anything asked for it isn’t read by the first either', async () => {
  const trees = new RecentTrees();
  await trees.readAll(counting, tree);
  expect((await restore(trees)).asked).toBe(0);
});

test('no more is kept than it may be, and what is not kept is read', async () => {
  const trees = new RecentTrees(3000);
  const first = await restore(trees);
  const second = await restore(trees);
  expect(second.shown).toEqual(first.shown);
  expect(second.asked).toBeGreaterThan(0);
  const nothing = new RecentTrees(100);
  await nothing.readAll(counting, tree);
  expect((await restore(nothing)).asked).toBe(5);
});
