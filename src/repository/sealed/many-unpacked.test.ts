import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { newMasterKey } from '../crypto/master-key.ts';
import { Sealer } from '../crypto/sealer.ts';
import { Decompressor } from '../crypto/zstd-context.ts';
import { newFolder } from '../restic.fixture.ts';
import { LocalStorage } from '../storage/local/local-storage.ts';
import { UnpackedFiles } from '../unpacked-files.ts';
import { contentsOf, openFilesHere } from './many-unpacked.ts';

const MIB = 2 ** 20;

test('files are opened together as far as a bound of memory allows; what is wrong is left out', async () => {
  const folder = await newFolder();
  const sealer = new Sealer(newMasterKey());
  const files = new UnpackedFiles(new LocalStorage(folder), sealer, 2);
  // Small where they lie.
  const jsons = [2, 20, 20, 3].map((mib) => `["${'x'.repeat(mib * MIB)}"]`);
  const ids: string[] = [];
  for (const json of jsons) ids.push(await files.save('snapshots', json));
  const here = (id: string) => ({ path: path.join(folder, 'snapshots', id), name: id, id });
  const [first = '', second = '', third = '', fourth = ''] = ids;
  const gone = { ...here('ab'.repeat(32)) };
  const misnamed = { ...here(first), id: second };
  const asked = [here(first), gone, misnamed, here(second), here(third), here(fourth)];
  const opened = openFilesHere({ sealer, decompressor: new Decompressor() }, asked);
  const contents = contentsOf(opened);
  const lengths = contents.map((content) => content?.length);
  expect(lengths).toEqual(
    [2, undefined, undefined, 20, 20, undefined].map((mib) => mib && mib * MIB + 4),
  );
  expect(contents[0]?.toString()).toBe(jsons[0]);
  fs.rmSync(folder, { recursive: true });
});
