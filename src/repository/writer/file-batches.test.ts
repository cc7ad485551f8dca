import fs from 'node:fs';
import { expect, test } from 'vitest';
import { setXattr } from '#base';
import type { FileToSave } from './writer.ts';
import { useWriterBench } from './writer-bench.ts';

const bench = useWriterBench();

test('several files at once are told apart: whole, changed, with attributes, gone', async () => {
  const writer = await bench.open();
  const bodies = ['one', '', 'three', 'and four'].map((text) => Buffer.from(text));
  const files = bodies.map((body, number) => {
    const { path: where, sizeBytes } = bench.file(`f${number}`, body);
    return { path: where.toString('latin1'), sizeBytes, mtimeMs: fs.statSync(where).mtimeMs };
  });
  const [whole, empty, tagged, changed] = files as [FileToSave, FileToSave, FileToSave, FileToSave];
  setXattr(Buffer.from(tagged.path), { name: Buffer.from('user.a'), value: Buffer.from('b') });
  const gone = { path: '/nowhere/at/all', sizeBytes: 1, mtimeMs: Number.NaN };
  const saved = await writer.saveFiles([
    ...[whole, gone, empty, tagged],
    { ...changed, mtimeMs: changed.mtimeMs - 1 },
  ]);
  await writer.finish();
  const plain = { isChanged: false, mayHaveXattrs: false };
  expect(saved).toMatchObject([
    { ...plain, sizeBytes: 3, newBytes: 3 },
    { failure: { code: 'ENOENT' } },
    { ...plain, sizeBytes: 0, ids: Buffer.alloc(0) },
    { isChanged: false, mayHaveXattrs: true },
    { isChanged: true, mayHaveXattrs: false },
  ]);
  const contents = saved.map((file) => ('ids' in file ? bench.contentOf(file.ids) : undefined));
  const [one, none, nothing, three, four] = await Promise.all(contents);
  expect(none).toBeUndefined();
  expect([one, nothing, three, four]).toEqual(bodies);
});
