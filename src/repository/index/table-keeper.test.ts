import { hash, randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { newMasterKey } from '../crypto/master-key.ts';
import type { IndexedPack, PackedBlob } from '../pack/header.ts';
import { flipByte, newFolder, tamper } from '../restic.fixture.ts';
import type { UnpackedFiles } from '../unpacked-files.ts';
import { BlobIndex } from './blob-index.ts';
import { LoadedIndex } from './load-index.ts';
import { TableKeeper } from './table-keeper.ts';

const masterKey = newMasterKey();
const idOf = (text: string) => hash('sha256', text, 'buffer');

function packOf(number: number, blobs: number): IndexedPack {
  const made = Array.from({ length: blobs }, (_, i): PackedBlob => {
    const length = 100 + i;
    const compressed = i % 3 === 0;
    return {
      type: number % 2 === 0 ? 'data' : 'tree',
      id: idOf(`${number}.${i}`),
      offset: i * 1_000,
      length,
      compressed,
      plainLength: compressed ? 777 : length - 32,
    };
  });
  return { id: idOf(`pack ${number}`).toString('hex'), blobs: made };
}

function indexOf(packs: number, blobs: number): { index: BlobIndex; packs: IndexedPack[] } {
  const index = new BlobIndex();
  const made = Array.from({ length: packs }, (_, number) => packOf(number, blobs));
  for (const [number, pack] of made.entries()) index.addPack(pack.id, pack.blobs, number % 7);
  return { index, packs: made };
}

const filesOf = (count: number) =>
  new Map(Array.from({ length: count }, (_, i) => [i, idOf(`file ${i}`).toString('hex')]));

/** Everything that can be asked of an index. */
function told(index: BlobIndex) {
  return [...index.packs()].map(({ id, blobs }) => ({
    id,
    blobs: blobs.map((blob) => ({
      ...blob,
      id: Buffer.from(blob.id).toString('hex'),
      found: index.lookup(blob.type, blob.id)?.packId,
    })),
  }));
}

async function kept(folder: string, index: BlobIndex): Promise<TableKeeper> {
  const keeper = new TableKeeper(folder, masterKey, 1);
  keeper.keep({ index, ids: filesOf(7) }, index.blobCount);
  await keeper.settled();
  return keeper;
}

describe('a kept table', () => {
  test('comes back as it was, and grows on', async () => {
    const { index, packs } = indexOf(40, 500);
    const keeper = await kept(await newFolder(), index);
    const back = await keeper.recall();
    expect(back?.ids).toEqual(filesOf(7));
    expect(told(back?.index as BlobIndex)).toEqual(told(index));
    const more = packOf(1_000, 20_000);
    back?.index.addPack(more.id, more.blobs);
    const all = [...packs, more].flatMap(({ blobs }) => blobs);
    expect(all.filter(({ type, id }) => !back?.index.has(type, id))).toEqual([]);
    expect(back?.index.has('data', randomBytes(32))).toBe(false);
  });

  test('holds nothing of what was added while it was written', async () => {
    const { index } = indexOf(10, 300);
    const before = told(index);
    const keeper = new TableKeeper(await newFolder(), masterKey, 1);
    keeper.keep({ index, ids: filesOf(7) }, index.blobCount);
    const late = packOf(99, 300);
    index.addPack(late.id, late.blobs);
    await keeper.settled();
    const back = (await keeper.recall())?.index as BlobIndex;
    expect(told(back)).toEqual(before);
    back.addPack(late.id, late.blobs);
    expect(back.lookupAll('tree', late.blobs[0]?.id as Uint8Array)).toHaveLength(1);
  });

  test('that is damaged, cut or of another key is none', async () => {
    const folder = await newFolder();
    const { index } = indexOf(10, 50);
    const keeper = await kept(folder, index);
    const file = path.join(folder, 'index-table');
    const whole = await fs.readFile(file);
    expect(await new TableKeeper(folder, newMasterKey(), 1).recall()).toBeUndefined();
    for (const at of [3, 60, 500_000, -40]) {
      await tamper(file, flipByte(at));
      expect(await keeper.recall()).toBeUndefined();
      await fs.writeFile(file, whole);
    }
    await fs.truncate(file, whole.length - 1_000);
    expect(await keeper.recall()).toBeUndefined();
    await fs.rm(file);
    expect(await keeper.recall()).toBeUndefined();
  });
});

/** Index files in memory, which can be taken away. */
function filesInMemory() {
  const stored = new Map<string, Buffer>();
  const read: string[] = [];
  const files = {
    list: async () => [...stored.keys()],
    save: async (_kind: string, bytes: Buffer) => {
      const id = randomBytes(32).toString('hex');
      stored.set(id, bytes);
      return id;
    },
    async *readInPieces(_kind: string, id: string) {
      read.push(id);
      yield stored.get(id) as Buffer;
    },
  } as unknown as UnpackedFiles;
  return { files, stored, read };
}

describe('loading', () => {
  test('reads only the index files that are new since the table was kept', async () => {
    const { files, read, stored } = filesInMemory();
    const folder = await newFolder();
    const writer = new LoadedIndex(files, undefined, new TableKeeper(folder, masterKey, 1));
    const first = await writer.save([packOf(1, 40), packOf(2, 40)]);
    await writer.save([packOf(3, 40)]);
    const keeper = new TableKeeper(folder, masterKey, 1);
    const early = new LoadedIndex(files, undefined, keeper);
    await early.load();
    await keeper.settled();
    const fresh = await writer.save([packOf(4, 40)]);
    stored.delete(first);
    read.length = 0;
    const late = new LoadedIndex(files, undefined, new TableKeeper(folder, masterKey, 1));
    await late.load();
    expect(read).toEqual([fresh]);
    expect([...late.index.packIds()].sort()).toEqual([packOf(3, 0).id, packOf(4, 0).id].sort());
  });

  test('tells after any saves, removals and merges what a first reading tells', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('save' as const), packs: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ kind: fc.constant('remove' as const), which: fc.nat() }),
      fc.record({ kind: fc.constant('merge' as const), which: fc.nat() }),
      fc.record({ kind: fc.constant('load' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const { files, stored } = filesInMemory();
        const told = new Map<string, IndexedPack[]>();
        const writer = new LoadedIndex(files);
        const reader = new LoadedIndex(files);
        let next = 0;
        const save = async (packs: IndexedPack[]) => told.set(await writer.save(packs), packs);
        for (const one of steps) {
          const ids = [...stored.keys()];
          const id = 'which' in one ? ids[one.which % Math.max(1, ids.length)] : undefined;
          if (one.kind === 'save') {
            await save(Array.from({ length: one.packs }, (_, i) => packOf(next + i, 3)));
            next += one.packs;
          } else if (one.kind === 'load') await reader.load();
          else if (id !== undefined) {
            // Merged: told by another file before the old one goes, and read in between.
            if (one.kind === 'merge') await save(told.get(id) ?? []);
            if (one.kind === 'merge') await reader.load();
            stored.delete(id);
          }
        }
        await reader.load();
        const first = new LoadedIndex(files);
        await first.load();
        expect([...reader.index.packIds()].sort()).toEqual([...first.index.packIds()].sort());
        expect(reader.index.blobCount).toBe(first.index.blobCount);
      }),
      { numRuns: 60 },
    );
  });
});
