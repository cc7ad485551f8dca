import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { removeState } from './purge.ts';

let root: string;

beforeEach(async () => {
  root = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-purge-'));
  vi.stubEnv('HOLDFAST_STATE', root);
  await fs.mkdir(path.join(root, 'catalog', 'base'), { recursive: true });
  await fs.mkdir(path.join(root, 'recoveries'));
  await fs.writeFile(path.join(root, 'server.log'), 'why it went wrong');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await fs.rm(root, { recursive: true, force: true });
});

test('where nothing is left of recoveries, nothing is left of the state', async () => {
  expect(await removeState(false)).toEqual({ root, left: [] });
  expect(await fs.readdir(root)).toEqual([]);
});

test('what the server wrote down stays with a recovery that could not be removed', async () => {
  await fs.mkdir(path.join(root, 'recoveries', 'r4kg57'));
  await removeState(true);
  expect((await fs.readdir(root)).sort()).toEqual(['recoveries', 'server.log']);
});
