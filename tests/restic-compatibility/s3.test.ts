/** One bucket, used by turns: restic reads what Holdfast wrote there, and Holdfast what restic wrote. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Secret } from '#base';
import { restoreTree } from '#recovery';
import { createRepository, openStorage, type Repository } from '#repository';
import {
  type S3TestServer,
  startS3TestServer,
} from '../../src/repository/storage/s3/test-server.ts';
import { describeTree, makeEverythingTree } from '../everything-tree.ts';
import { PASSWORD, restic } from './restic.ts';
import { saveFolder } from './save-folder.ts';

let scratch: string;
let original: string;
let server: S3TestServer;
let repository: Repository;
let env: Record<string, string>;

beforeAll(async () => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-s3-restic-'));
  original = path.join(scratch, 'original');
  fs.mkdirSync(original);
  makeEverythingTree(original);
  server = await startS3TestServer();
  await server.makeBucket('backups');
  const address = `s3:${server.endpoint}/backups/of/shop`;
  env = { ...server.env, RESTIC_REPOSITORY: address };
  const { accessKeyId, secretAccessKey } = server.user;
  const credentials = { accessKeyId, secretAccessKey: new Secret(secretAccessKey) };
  repository = await createRepository({
    storage: await openStorage(address, { s3: { credentials } }),
    password: new Secret(PASSWORD),
    scrypt: { N: 1024, r: 8, p: 1 },
  });
});

afterAll(async () => {
  await repository?.close();
  await server?.stop();
  fs.rmSync(scratch, { recursive: true, force: true });
});

const clean = () => restic(scratch, ['check', '--read-data'], env).toString();

/** restic 0.14 knows link targets as UTF-8 only. */
async function described(folder: string) {
  const tree = await describeTree(folder);
  tree.delete('');
  tree.delete('link-raw');
  return Object.fromEntries(tree);
}

it('what Holdfast wrote, restic finds clean and restores', async () => {
  await saveFolder(repository, original);
  expect(clean()).toContain('no errors were found');
  const target = path.join(scratch, 'by-restic');
  restic(scratch, ['restore', 'latest', '--quiet', '--target', target], env);
  expect(await described(target)).toEqual(await described(original));
});

it('what restic wrote beside it, Holdfast restores', async () => {
  restic(scratch, ['backup', '--quiet', original], env);
  await repository.loadIndex();
  const { tree } = await repository.snapshots.find('latest');
  const target = path.join(scratch, 'by-holdfast');
  const result = await restoreTree({ repository, tree, subpath: original, target });
  expect(result.problems).toEqual([]);
  expect(await described(target)).toEqual(await described(original));
  expect(clean()).toContain('no errors were found');
});
