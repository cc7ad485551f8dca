/** The engine as a library, imported by the name of the package as any other project does. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { randomBytes } from '#base';

const PASSWORD = 'of the library';
const checkout = path.resolve(import.meta.dirname, '../..');

let scratch: string;
let repository: string;
let body: Buffer;

beforeAll(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-library-'));
  repository = path.join(scratch, 'repository');
  body = randomBytes(9_000_001);
});

afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

function restic(...words: string[]): Buffer {
  const env = { ...process.env, RESTIC_PASSWORD: PASSWORD };
  const given = ['--no-cache', '-r', repository, ...words];
  return execFileSync('restic', given, {
    env,
    maxBuffer: 2 ** 26,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

const env = { ...process.env, HOLDFAST_PASSWORD: PASSWORD };

test('the example backs up a stream that restic gives back, into a new repository and an old one', () => {
  const example = path.join(checkout, 'examples/library/backup-a-stream.ts');
  for (const name of ['first.bin', 'second.bin']) {
    const words = [example, repository, name];
    const ran = spawnSync(process.execPath, words, { env, input: body, encoding: 'utf8' });
    expect(ran.stderr).toBe('');
    expect(ran.status).toBe(0);
    expect(restic('dump', ran.stdout.slice(0, 8), name).equals(body)).toBe(true);
  }
  expect(restic('check', '--read-data').toString()).toContain('no errors were found');
  const wrong = { ...env, HOLDFAST_PASSWORD: 'another' };
  const refused = spawnSync(process.execPath, [example, repository, 'x'], {
    env: wrong,
    input: '',
  });
  expect(refused.status).not.toBe(0);
});

test('another program reads with what the package exports', () => {
  const program = `
    import { createHash } from 'node:crypto';
    import { openRepository, openStorage, Secret, treeEntries } from 'holdfast/repository';
    const storage = await openStorage(process.argv[1]);
    const password = new Secret(process.env.HOLDFAST_PASSWORD);
    const repository = await openRepository({ storage, password });
    const [newest] = await repository.snapshots.list();
    await repository.loadIndex();
    for await (const { path, node } of treeEntries(repository, newest.tree)) {
      const hash = createHash('sha256');
      for (let at = 0; at < node.content.length; at += 32) {
        hash.update(await repository.readBlob('data', node.content.subarray(at, at + 32)));
      }
      console.log(path.toString(), hash.digest('hex'));
    }
    await repository.close();
  `;
  const words = ['--input-type=module', '-e', program, repository];
  const ran = spawnSync(process.execPath, words, { env, cwd: checkout, encoding: 'utf8' });
  expect(ran.stderr).toBe('');
  const expected = createHash('sha256').update(body).digest('hex');
  expect(ran.stdout).toBe(`/second.bin ${expected}\n`);
});
