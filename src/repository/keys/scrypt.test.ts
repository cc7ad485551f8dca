import { scryptSync } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { makePassword, Secret } from '#base';
import { createRepository, openRepository } from '../open.ts';
import { newFolder, restic } from '../restic.fixture.ts';
import { LocalStorage } from '../storage/local/local-storage.ts';
import { areBearable, DEFAULT_SCRYPT, scryptFor } from './scrypt.ts';
import { laneThreads, scryptInLanes } from './scrypt-lanes.ts';

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

test('lanes side by side come to the same key', async () => {
  const password = Buffer.from('horse');
  const salt = Buffer.from('battery staple');
  for (const [threads, parameters] of [
    [1, { N: 16_384, r: 8, p: 3 }],
    [2, { N: 16_384, r: 8, p: 5 }],
    [2, { N: 32_768, r: 8, p: 8 }],
    [3, { N: 2_048, r: 32, p: 4 }],
    [1, { N: 2, r: 1, p: 2 }],
  ] as const) {
    const own = await scryptInLanes(password, salt, 64, parameters, threads);
    const maxmem = 256 * 1024 * 1024;
    expect(own.equals(scryptSync(password, salt, 64, { ...parameters, maxmem }))).toBe(true);
  }
});

test('lanes that would hold too much memory at once are not mixed side by side', () => {
  expect(laneThreads({ N: 262_144, r: 8, p: 2 })).toBe(0);
  expect(laneThreads({ N: 1024, r: 8, p: 1 })).toBe(0);
  expect(laneThreads({ N: 2, r: 1024, p: 4096 })).toBe(0);
});

test('parameters that would take memory or time without bound are refused', () => {
  expect(areBearable(DEFAULT_SCRYPT)).toBe(true);
  expect(areBearable({ N: 32_768, r: 8, p: 32 })).toBe(true);
  expect(areBearable({ N: 2 ** 20, r: 16, p: 1 })).toBe(false);
  expect(areBearable({ N: 2 ** 18, r: 8, p: 2 ** 10 })).toBe(false);
  // Little to do, and gigabytes of lanes.
  expect(areBearable({ N: 2, r: 1, p: 2 ** 27 })).toBe(false);
  expect(areBearable({ N: 32_767, r: 8, p: 1 })).toBe(false);
});
