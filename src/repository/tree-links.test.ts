import { hash } from 'node:crypto';
import { expect, test } from 'vitest';
import { BlobIndex } from './index/blob-index.ts';
import { BlobTable } from './index/blob-table.ts';
import type { BlobType } from './names.ts';
import { LinkCollector, TreeLinks } from './tree-links.ts';

const idOf = (what: string) => hash('sha256', what, 'buffer');
const PACK = idOf('pack').toString('hex');

function indexOf(...blobs: [BlobType, string][]): BlobIndex {
  const index = new BlobIndex();
  const packed = blobs.map(([type, what], at) => ({
    ...{ type, id: idOf(what), offset: at * 100, length: 100 },
    ...{ compressed: false, plainLength: 68 },
  }));
  index.addPack(PACK, packed);
  return index;
}

const tree = (...nodes: object[]) => Buffer.from(JSON.stringify({ nodes }));
const file = (name: string, ...content: string[]) => ({
  ...{ name, type: 'file' },
  content: content.map((what) => idOf(what).toString('hex')),
});

test('tell what a tree leads to, and nothing of one that only a walk can name the fault of', () => {
  const index = indexOf(['tree', 'root'], ['tree', 'a'], ['data', 'x'], ['data', 'y']);
  const folder = { name: 'd', type: 'dir', subtree: idOf('a').toString('hex') };
  const collector = new LinkCollector(new BlobTable(index.share()));
  const links = new TreeLinks(index);
  collector.add(idOf('unknown'), tree());
  collector.add(idOf('a'), tree(file('f', 'x'), file('g', 'gone')));
  collector.add(idOf('a'), Buffer.from('{"nodes":[{"name":"f","type":"file"'));
  collector.add(idOf('root'), tree(folder, file('f', 'x', 'y', 'x')));
  links.add(collector.words());
  const entryOf = (type: BlobType, what: string) => index.entryOf(type, idOf(what));
  const [a, x, y] = [entryOf('tree', 'a'), entryOf('data', 'x'), entryOf('data', 'y')];
  expect(links.of(entryOf('tree', 'root'))).toEqual(Uint32Array.of(a, x, y, x));
  expect(links.of(a)).toBeUndefined();
});
