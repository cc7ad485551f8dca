/** A restore that is killed is finished by the same command again, and nothing of it is wrong then. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Secret } from '#base';
import { backupPaths } from '#capture';
import { createRepository, openStorage } from '#repository';
import { describeTree } from '../everything-tree.ts';
import { expectCode, startHoldfast } from './command-line.ts';
import { waitFor } from './site/protected-site.ts';

const PASSWORD = 'killed';
const FILES = 1500;
let scratch: string;

beforeAll(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-killed-'));
});
afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

function makeInput(folder: string): void {
  for (let number = 0; number < FILES; number += 1) {
    const below = path.join(folder, `folder ${number % 30}`);
    fs.mkdirSync(below, { recursive: true, mode: 0o750 });
    fs.writeFileSync(path.join(below, `${number}`), randomBytes((number % 50) * 1000), {
      mode: 0o640,
    });
  }
  fs.writeFileSync(path.join(folder, 'large'), randomBytes(30_000_000));
}

test('wherever it was, in an empty target and in one that holds something else', async () => {
  const input = path.join(scratch, 'input');
  const target = path.join(scratch, 'target');
  const repositoryFolder = path.join(scratch, 'repository');
  makeInput(input);
  const scrypt = { N: 1024, r: 8, p: 1 };
  const storage = await openStorage(repositoryFolder);
  const repository = await createRepository({ storage, password: new Secret(PASSWORD), scrypt });
  await backupPaths(repository, [input]);
  await repository.close();
  const restore = () =>
    startHoldfast(
      ['repo', 'restore', 'latest', '--path', input, '--target', target].concat([
        '--existing',
        'update',
        '--delete',
      ]),
      { env: { HOLDFAST_PASSWORD: PASSWORD, HOLDFAST_REPOSITORY: repositoryFolder } },
    );
  for (const filesBefore of [50, 700]) {
    const running = restore();
    const begun = async () => fs.existsSync(target) && countFiles(target) >= filesBefore;
    await waitFor(begun, 'some of it to be restored');
    running.child.kill('SIGKILL');
    await running.ended;
    fs.mkdirSync(path.join(target, 'left over', 'from before'), { recursive: true });
    fs.writeFileSync(path.join(target, 'folder 3', '3'), 'another content of it');
  }
  const ended = await restore().ended;
  expectCode(ended, 0);
  expect(await describeTree(target)).toEqual(await describeTree(input));
}, 180_000);

function countFiles(folder: string): number {
  try {
    const entries = fs.readdirSync(folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).length;
  } catch {
    // A folder went while it was listed: the next look tells.
    return 0;
  }
}
