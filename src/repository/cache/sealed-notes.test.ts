import fs from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { newMasterKey } from '../crypto/master-key.ts';
import { Sealer } from '../crypto/sealer.ts';
import { newFolder } from '../restic.fixture.ts';
import { LocalCache } from './cache.ts';
import { SealedNotes } from './sealed-notes.ts';

test('a note is read by its name and key alone, and any other is none', async () => {
  const folder = await newFolder();
  const cache = new LocalCache('a'.repeat(64), { folder });
  const masterKey = newMasterKey();
  const notes = new SealedNotes(cache, new Sealer(masterKey));
  expect(await notes.read('one')).toBeUndefined();
  await notes.write('one', [Buffer.from('secret '), Buffer.from('words')]);
  await notes.write('two', []);
  expect((await notes.read('one'))?.toString()).toBe('secret words');
  expect((await notes.read('two'))?.length).toBe(0);
  const stored = await cache.read('one');
  expect(Buffer.from(stored as Uint8Array).includes('secret')).toBe(false);

  const stranger = new SealedNotes(cache, new Sealer(newMasterKey()));
  expect(await stranger.read('one')).toBeUndefined();
  await fs.rename(path.join(cache.derivedFolder, 'one'), path.join(cache.derivedFolder, 'two'));
  expect(await notes.read('two')).toBeUndefined();
  // With a checksum that is right: only the seal tells.
  (stored as Uint8Array)[20] = ((stored as Uint8Array)[20] as number) ^ 1;
  await cache.write('one', [stored as Uint8Array]);
  expect(await notes.read('one')).toBeUndefined();
});
