/** Who reads while packs vanish: a restore or a mount beside a prune, ours or a user's. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { randomBytes } from '#base';
import { reachableBlobs } from '../reachable-blobs.ts';
import type { Repository } from '../repository.ts';
import { newFolder, open, QUICK, quickGolden, restic } from '../restic.fixture.ts';
import { decodeTree } from '../tree/decode-tree.ts';
import { pruneInPhases } from './phases.ts';
import { prune } from './prune.ts';

/** What is left of the last backup shares its packs with what was removed. */
async function beforePrune(): Promise<{ folder: string; left: string[] }> {
  const folder = await quickGolden('restic-0.14-max');
  const content = path.join(await newFolder(), 'content');
  await fs.mkdir(content);
  for (let i = 0; i < 60; i += 1)
    await fs.writeFile(path.join(content, `${i}`), randomBytes(20_000));
  await restic(folder, QUICK, ['backup', '--tag', 'all', content]);
  for (let i = 0; i < 40; i += 1) await fs.rm(path.join(content, `${i}`));
  await restic(folder, QUICK, ['backup', '--tag', 'left', content]);
  const [all] = JSON.parse(await restic(folder, QUICK, ['snapshots', '--json', '--tag', 'all']));
  await restic(folder, QUICK, ['forget', all.id]);
  return { folder, left: await fs.readdir(content) };
}

/** Ids of all data blobs of the snapshot with the tag, by trees that are read before the prune. */
async function contentOf(repository: Repository): Promise<Buffer> {
  const [snapshot] = await repository.snapshots.list({ tags: [['left']] });
  await repository.loadIndex();
  const ids: Buffer[] = [];
  const walk = async (tree: string): Promise<void> => {
    for (const node of decodeTree(await repository.readBlob('tree', tree))) {
      if (node.content) ids.push(node.content);
      if (node.subtree) await walk(node.subtree);
    }
  };
  await walk(snapshot?.tree ?? '');
  return Buffer.concat(ids);
}

const prunes: [string, (folder: string) => Promise<unknown>][] = [
  ["a user's restic prune", (folder) => restic(folder, QUICK, ['prune', '--max-unused', '0'])],
  ['our prune', async (folder) => prune(await open(folder, QUICK), { maxUnused: 0 })],
  [
    'our sweep',
    async (folder) => {
      const repository = await open(folder, QUICK);
      await pruneInPhases(repository, { maxUnused: 0 });
      await pruneInPhases(repository, { maxUnused: 0, graceMs: 0 });
    },
  ],
];

test.each(prunes)('a reader goes on over %s, with an index from before', async (_what, run) => {
  const { folder, left } = await beforePrune();
  const reader = await open(folder, QUICK);
  const ids = await contentOf(reader);
  const packs = [...reader.index.packIds()];
  await run(folder);
  const readNow = new Set(await fs.readdir(path.join(folder, 'data'), { recursive: true }));
  expect(packs.filter((id) => !readNow.has(path.join(id.slice(0, 2), id))).length).toBeGreaterThan(
    0,
  );
  const found = new Set<string>();
  // All at once and one by one: whichever meets the missing pack first, the others profit.
  await Promise.all([
    reader.readBlobs('data', ids, (id) => void found.add(id.toString('hex'))),
    ...Array.from({ length: 5 }, (_, i) =>
      reader.readBlob('data', ids.subarray(i * 32, i * 32 + 32)),
    ),
  ]);
  expect(found.size).toBe(left.length);
  const roots = (await reader.snapshots.list()).map(({ tree }) => tree);
  expect((await reachableBlobs(reader, roots)).lost).toEqual([]);
});
