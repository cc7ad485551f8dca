/** Somebody who may write in the target puts links in the place of folders and files while it is restored. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { randomBytes, readMetadata, Secret } from '#base';
import { createRepository, openStorage, type Repository } from '#repository';
import { saveFiles } from '../../repository/saved-files.fixture.ts';
import { restoreTree } from './restore-tree.ts';

const FILES = 60;
const ROUNDS = 12;

/** Swaps a folder and a file with links to elsewhere and back until it is told to end. */
const RACER = `
const fs = require('node:fs');
const { workerData: { shared, file, outside, ended } } = require('node:worker_threads');
const attempt = (work) => { try { work(); } catch {} };
while (Atomics.load(ended, 0) === 0) {
  attempt(() => fs.renameSync(shared, shared + '.aside'));
  attempt(() => fs.symlinkSync(outside, shared));
  for (let spin = 0; spin < 2000; spin += 1) Atomics.load(ended, 0);
  attempt(() => fs.unlinkSync(shared));
  attempt(() => fs.renameSync(shared + '.aside', shared));
  attempt(() => fs.rmSync(file));
  attempt(() => fs.linkSync(outside + '/file0', file));
  Atomics.add(ended, 1, 1);
}`;

let folder: string;
let repository: Repository;

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-races-'));
  const storage = await openStorage('memory:races');
  const password = new Secret('races');
  repository = await createRepository({ storage, password, scrypt: { N: 1024, r: 8, p: 1 } });
});
afterEach(async () => {
  await repository.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

test('nothing outside of the target is written, changed or removed, whatever is put in the way', async () => {
  const files = new Map([['single', randomBytes(3000)]]);
  for (let number = 0; number < FILES; number += 1) {
    files.set(`shared/file${number}`, randomBytes(2000));
    files.set(`shared/below/file${number}`, randomBytes(100));
  }
  await repository.loadIndex();
  const { tree } = await saveFiles(repository, files);
  const [target, outside] = [path.join(folder, 'target'), path.join(folder, 'outside')];
  makeOutside(outside);
  fs.mkdirSync(path.join(target, 'shared/gone'), { recursive: true });
  const before = snapshotOf(outside);
  const ended = new Int32Array(new SharedArrayBuffer(8));
  const at = { shared: path.join(target, 'shared'), file: path.join(target, 'single') };
  const racer = new Worker(RACER, { eval: true, workerData: { ...at, outside, ended } });
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const existing = round % 2 === 0 ? 'replace' : 'update';
      const request = { repository, tree, target, existing, removeOthers: round % 3 > 0 } as const;
      await restoreTree(request);
    }
    expect(Atomics.load(ended, 1)).toBeGreaterThan(ROUNDS);
  } finally {
    Atomics.store(ended, 0, 1);
    await racer.terminate();
  }
  expect(snapshotOf(outside)).toEqual(before);
}, 60_000);

/** Names as the tree has them, and others that a restore which makes equal would remove. */
function makeOutside(outside: string): void {
  fs.mkdirSync(path.join(outside, 'below'), { recursive: true });
  for (let number = 0; number < FILES; number += 1) {
    for (const name of [`file${number}`, `below/file${number}`, `mine${number}`]) {
      fs.writeFileSync(path.join(outside, name), `of others ${name}`, { mode: 0o640 });
    }
  }
}

function snapshotOf(outside: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of fs.readdirSync(outside, { recursive: true, encoding: 'utf8' }).sort()) {
    const at = path.join(outside, name);
    const { permissions, mtimeNs, kind } = readMetadata(Buffer.from(at));
    const content = kind === 'file' ? fs.readFileSync(at, 'utf8') : '';
    found.set(name, `${permissions} ${mtimeNs} ${content}`);
  }
  return found;
}
