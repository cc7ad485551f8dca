import fs from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { makePassword, Secret } from '#base';
import { createRepository, openRepository } from '../open.ts';
import { newFolder, restic } from '../restic.fixture.ts';
import { LocalStorage } from '../storage/local/local-storage.ts';
import { DEFAULT_SCRYPT, scryptFor } from './scrypt.ts';

const CHOSEN = 'correct horse';

/** What scrypt is given, of each key that there is. */
async function costsIn(folder: string): Promise<unknown[]> {
  const names = await fs.readdir(path.join(folder, 'keys'));
  const files = names.map((name) => fs.readFile(path.join(folder, 'keys', name), 'utf8'));
  return (await Promise.all(files)).map((file) => {
    const { N, r, p } = JSON.parse(file);
    return { N, r, p };
  });
}

test('a key is stretched unless its password was made, and restic opens both', async () => {
  const folder = await newFolder();
  const made = makePassword();
  const light = scryptFor(new Secret(made));
  expect(light.N).toBeLessThan(DEFAULT_SCRYPT.N);
  const storage = new LocalStorage(folder);
  const repository = await createRepository({ storage, password: new Secret(made) });
  expect(await costsIn(folder)).toEqual([light]);
  await repository.keys.add(new Secret(CHOSEN));
  await repository.close();
  const costs = await costsIn(folder);
  expect(costs).toHaveLength(2);
  expect(costs).toContainEqual(light);
  expect(costs).toContainEqual(DEFAULT_SCRYPT);
  for (const password of [made, CHOSEN]) {
    expect(await restic(folder, password, ['cat', 'config'])).toContain(repository.config.id);
    const again = await openRepository({ storage, password: new Secret(password) });
    await again.close();
  }
});
