import { hash } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { BlobType } from '../names.ts';
import type { PackedBlob } from '../pack/header.ts';
import { BlobIndex } from './blob-index.ts';

function idOf(number: number): Buffer {
  return hash('sha256', String(number), 'buffer');
}

function blob(type: BlobType, number: number, offset: number, compressed = true): PackedBlob {
  const length = 100 + number;
  return {
    type,
    id: idOf(number),
    offset,
    length,
    compressed,
    plainLength: compressed ? length * 2 : length - 32,
  };
}

function packOf(name: string, count: number, from = 0): { id: string; blobs: PackedBlob[] } {
  let offset = 0;
  const blobs = Array.from({ length: count }, (_, i) => {
    const one = blob(i % 5 === 0 ? 'tree' : 'data', from + i, offset, i % 3 !== 0);
    offset += one.length;
    return one;
  });
  return { id: hash('sha256', name, 'hex'), blobs };
}

describe('the index of blobs', () => {
  test('finds exactly what was added, over many growths', () => {
    const index = new BlobIndex();
    const packs = Array.from({ length: 200 }, (_, i) => packOf(`p${i}`, 200, i * 200));
    for (const pack of packs) index.addPack(pack.id, pack.blobs);
    expect(index.blobCount).toBe(40_000);
    expect(index.packCount).toBe(200);
    for (const { id, blobs } of packs) {
      const found = blobs.filter((one) => {
        const location = index.lookup(one.type, one.id);
        return location?.packId === id && location.offset === one.offset;
      });
      expect(found).toHaveLength(blobs.length);
      const otherType = (type: BlobType) => (type === 'tree' ? 'data' : 'tree');
      expect(blobs.some((one) => index.has(otherType(one.type), one.id))).toBe(false);
    }
    const [first] = packs;
    expect(index.packContents(first?.id ?? '')).toEqual(first?.blobs);
    const absent = Array.from({ length: 1_000 }, (_, i) => idOf(40_000 + i));
    expect(absent.some((id) => index.has('data', id))).toBe(false);
  });

  test('takes about 64 bytes a blob', () => {
    const index = new BlobIndex();
    for (let i = 0; i < 300; i += 1) {
      const { id, blobs } = packOf(`p${i}`, 500, i * 500);
      index.addPack(id, blobs);
    }
    expect(index.sizeBytes / index.blobCount).toBeLessThan(64);
  });

  test('knows all copies, and adding a pack again adds nothing', () => {
    const index = new BlobIndex();
    const a = packOf('a', 3);
    const b = packOf('b', 3);
    index.addPack(a.id, a.blobs);
    index.addPack(b.id, b.blobs);
    index.addPack(a.id, a.blobs);
    expect(index.blobCount).toBe(6);
    expect(index.lookupAll('data', idOf(1)).map(({ packId }) => packId)).toEqual([a.id, b.id]);
    expect(index.lookupAll('tree', idOf(1))).toEqual([]);
  });

  test('joins a pack that several index files tell of', () => {
    const index = new BlobIndex();
    const { id, blobs } = packOf('split', 6);
    index.addPack(id, blobs.slice(3));
    index.addPack(id, blobs.slice(0, 4));
    expect(index.packContents(id)).toEqual(blobs);
    expect(index.blobCount).toBe(6);
  });

  test('tells ids apart that begin alike', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.nat(3), fc.nat(3)), { selector: String, maxLength: 16 }),
        fc.tuple(fc.nat(3), fc.nat(3)),
        (added, wanted) => {
          const alike = ([first, last]: [number, number]) => {
            const id = Buffer.alloc(32);
            id[0] = first;
            id[31] = last;
            return id;
          };
          const index = new BlobIndex();
          const blobs = added.map((pair, i) => ({ ...blob('data', i, i), id: alike(pair) }));
          index.addPack('00'.repeat(32), blobs);
          const expected = added.some((pair) => String(pair) === String(wanted));
          expect(index.has('data', alike(wanted))).toBe(expected);
        },
      ),
    );
  });

  test('is asked by other threads without a copy', async () => {
    const index = new BlobIndex();
    const { id, blobs } = packOf('a', 100);
    index.addPack(id, blobs);
    const url = new URL('./blob-table.ts', import.meta.url);
    const source = `
      import { parentPort, workerData } from 'node:worker_threads';
      const { BlobTable } = await import(workerData.url);
      const table = new BlobTable(workerData.shared);
      const { ids, probes } = workerData;
      parentPort.postMessage(probes.map((at) => table.has('data', ids, at * 32)));`;
    const ids = Buffer.concat([idOf(1), idOf(2), idOf(500)]);
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
      workerData: { url: url.href, shared: index.share(), ids, probes: [0, 1, 2] },
    });
    const answer = await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    await worker.terminate();
    expect(answer).toEqual([true, true, false]);
  });
});
