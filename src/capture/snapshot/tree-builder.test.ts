import { hash } from 'node:crypto';
import { expect, it } from 'vitest';
import { madeMetadata, Secret } from '#base';
import { createRepository, encodeTree, openStorage, openWriter, type TreeNode } from '#repository';
import { RecentTrees } from './recent-trees.ts';
import { TreeBuilder } from './tree-builder.ts';

const COUNT = 36_000;

/** Each about a kilobyte in the tree. */
function fifo(number: number): TreeNode {
  const value = Buffer.alloc(700, number);
  return {
    ...madeMetadata('fifo', 0o600, BigInt(number)),
    name: Buffer.from(`${number}`.padStart(8, '0')),
    xattrs: [{ name: Buffer.from('user.large'), value }],
  };
}

it('a tree that is too large for one piece of memory is the one that all its nodes make', async () => {
  const repository = await createRepository({
    storage: await openStorage('memory:tree-builder'),
    password: new Secret('tree'),
    scrypt: { N: 1024, r: 8, p: 1 },
  });
  const writer = await openWriter(repository, { workers: 1 });
  const builder = new TreeBuilder(writer, new RecentTrees(repository));
  builder.addDirectory('', madeMetadata('dir', 0o700, 0n));
  for (let at = 0; at < COUNT; at += 1) {
    const { name, ...metadata } = fifo((at * 7919) % COUNT);
    builder.addEntry(name.toString('latin1'), metadata);
  }
  const tree = await builder.finish();
  await writer.finish();
  await repository.loadIndex();
  const expected = Buffer.concat(encodeTree(Array.from({ length: COUNT }, (_, at) => fifo(at))));
  expect(expected.length).toBeGreaterThan(32 * 1024 * 1024);
  expect(tree).toBe(hash('sha256', expected, 'hex'));
  expect((await repository.readBlob('tree', tree)).equals(expected)).toBe(true);
  await repository.close();
});
