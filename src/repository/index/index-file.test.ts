import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IndexedPack } from '../pack/header.ts';
import { type PackList, packsOf } from './index-entries.ts';
import { decodeIndex, encodeIndex } from './index-file.ts';

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
  for (const one of packsOf(await decodeIndex('index/test', pieces))) found.push(one);
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

/** Pieces of JSON that mean nothing to us, which other writers may put in. */
const foreign = fc.json({ maxDepth: 3 });
const space = fc.constantFrom('', '', ' ', '\n', '\t ', '\r\n');

function field(key: string, value: string, gap: string): string {
  return `${gap}"${key}"${gap}:${gap}${value}`;
}

/** The same index as somebody else might write it: fields in any order, others among them, white space anywhere. */
function writtenOtherwise(packs: IndexedPack[], pick: fc.GeneratorValue): string {
  const gap = () => pick(() => space);
  const mixed = (fields: string[]) => {
    const extra = pick(() => fc.array(foreign, { maxLength: 2 }));
    const all = [...fields, ...extra.map((json, i) => field(`x${i}`, json, gap()))];
    const order = pick(() => fc.shuffledSubarray(all, { minLength: all.length }));
    return `{${order.join(',')}${gap()}}`;
  };
  const blobJson = (blob: IndexedPack['blobs'][number]) =>
    mixed([
      field('id', `"${Buffer.from(blob.id).toString('hex')}"`, gap()),
      field('type', `"${blob.type}"`, gap()),
      field('offset', `${blob.offset}`, gap()),
      field('length', `${blob.length}`, gap()),
      ...(blob.compressed ? [field('uncompressed_length', `${blob.plainLength}`, gap())] : []),
    ]);
  const packJson = ({ id, blobs }: IndexedPack) =>
    mixed([
      field('id', `"${id}"`, gap()),
      field('blobs', `[${blobs.map(blobJson).join(`${gap()},`)}${gap()}]`, gap()),
    ]);
  return mixed([field('packs', `[${packs.map(packJson).join(',')}${gap()}]`, gap())]);
}

/** Room for pieces that break off anywhere without taking long. */
const FEW = { numRuns: 60 };

describe('index files of others', () => {
  test('tell what JSON.parse reads in them', async () => {
    await fc.assert(
      fc.asyncProperty(
        packs.filter((given) => given.length < 4),
        fc.gen(),
        fc.integer({ min: 1, max: 400 }),
        async (given, pick, every) => {
          const json = writtenOtherwise(given, pick);
          const read = (JSON.parse(json) as { packs: { id: string; blobs: object[] }[] }).packs;
          const found = await decode(cut(Buffer.from(json), every));
          expect(found.map(({ pack }) => pack.id)).toEqual(read.map(({ id }) => id));
          expect(found.map(({ pack }) => pack)).toEqual(given);
        },
      ),
      FEW,
    );
  });

  test('are refused by name, and nothing else happens, wherever a byte was changed', async () => {
    const whole = Buffer.from(
      [...encodeIndex([{ id: 'ab'.repeat(32), blobs: [] }])]
        .join('')
        .replace(
          '"blobs":[]',
          `"blobs":[{"id":"${'cd'.repeat(32)}","type":"data","offset":0,"length":40}],"later":[{"a":[1,"]"]}]`,
        ),
    );
    const place = fc.integer({ min: 0, max: whole.length - 1 });
    await fc.assert(
      fc.asyncProperty(place, fc.integer({ min: 0, max: 255 }), async (at, byte) => {
        const changed = Buffer.from(whole);
        changed[at] = byte;
        const outcome = await decode(cut(changed, 50)).catch((error: unknown) => error);
        if (!Array.isArray(outcome)) {
          expect(outcome).toMatchObject({ code: 'repository/file-damaged' });
        }
      }),
      { numRuns: 300 },
    );
  });

  test('take no memory for what they only claim', async () => {
    const endless = (function* () {
      yield Buffer.from('{"packs":[{"id":"');
      for (let i = 0; i < 40; i += 1) yield Buffer.alloc(64 * 1024, 'a');
    })();
    await expect(decodeIndex('index/test', endless)).rejects.toThrow('too long');
    const deep = (function* () {
      yield Buffer.from('{"other":');
      for (let i = 0; i < 100; i += 1) yield Buffer.alloc(64 * 1024, '[');
    })();
    await expect(decodeIndex('index/test', deep)).rejects.toThrow('breaks off');
  });
});
