import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IndexedPack } from '../pack/header.ts';
import { decodeIndex, encodeIndex, type PackList } from './index-file.ts';

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const id = fc.nat().map((number) => hash('sha256', String(number), 'buffer'));

const packs: fc.Arbitrary<IndexedPack[]> = fc.array(
  fc.record({
    id: id.map((bytes) => bytes.toString('hex')),
    blobs: fc.array(
      fc
        .record({
          type: fc.constantFrom('data' as const, 'tree' as const),
          id,
          offset: uint32,
          length: fc.integer({ min: 33, max: 0xffff_ffff }),
          plain: fc.option(fc.integer({ min: 1, max: 0xffff_ffff })),
        })
        .map(({ plain, ...blob }) => ({
          ...blob,
          compressed: plain !== null,
          plainLength: plain ?? blob.length - 32,
        })),
    ),
  }),
);

async function decode(pieces: Buffer[]) {
  const found: { list: PackList; pack: IndexedPack }[] = [];
  await decodeIndex('index/test', pieces, (pack, list) => found.push({ pack, list }));
  return found;
}

function cut(bytes: Buffer, every: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += every) pieces.push(bytes.subarray(at, at + every));
  return pieces;
}

describe('index files', () => {
  test('come back from pieces of any size', async () => {
    await fc.assert(
      fc.asyncProperty(packs, fc.integer({ min: 1, max: 300 }), async (given, every) => {
        const json = Buffer.from([...encodeIndex(given)].join(''));
        expect(() => JSON.parse(json.toString())).not.toThrow();
        const found = await decode(cut(json, every));
        expect(found.map(({ pack }) => pack)).toEqual(given);
      }),
    );
  });

  test('may hold what we do not know, in any order', async () => {
    const packId = 'ab'.repeat(32);
    const blobId = 'cd'.repeat(32);
    const blob = `{"length":50,"later":[{"a":"}"}],"offset":7,"type":"tree","id":"${blobId}"}`;
    const json = `{"supersedes":["${packId}"],"note":"a \\" [{","packs":[],"packs_to_delete":
      [ {"time":"2026","blobs":[${blob}],"id":"${packId}"} ] , "end" : {"packs":[{}]} }`;
    const [only, ...others] = await decode(cut(Buffer.from(json), 11));
    expect(others).toEqual([]);
    expect(only).toMatchObject({
      list: 'packs_to_delete',
      pack: { id: packId, blobs: [{ type: 'tree', offset: 7, length: 50, plainLength: 18 }] },
    });
  });

  test.each([
    ['broken off', '{"packs":[{"id":"'],
    ['empty', ''],
    ['a pack without an id', '{"packs":[{"blobs":[]}]}'],
    ['no JSON inside', '{"packs":[{nonsense}]}'],
    [
      'a negative offset',
      `{"packs":[{"id":"${'ab'.repeat(32)}","blobs":[{"id":"${'ab'.repeat(32)}","type":"data","offset":-1,"length":40}]}]}`,
    ],
    [
      'an id that is no hex',
      `{"packs":[{"id":"${'ab'.repeat(32)}","blobs":[{"id":"${'zz'.repeat(32)}","type":"data","offset":1,"length":40}]}]}`,
    ],
    ['no blob at all', `{"packs":[{"id":"${'ab'.repeat(32)}","blobs":[null]}]}`],
  ])('with %s are refused by name', async (_what, json) => {
    await expect(decode([Buffer.from(json)])).rejects.toMatchObject({
      code: 'repository/file-damaged',
      message: expect.stringContaining('index/test'),
    });
  });
});
