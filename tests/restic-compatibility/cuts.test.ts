/** Where restic has stored snapshots of its own, our cuts are its cuts: both share what they hold of the same files. */
import { execFileSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Secret } from '#base';
import { backupPaths } from '#capture';
import { createRepository, openRepository, openStorage, repositoryStats } from '#repository';

const MIB = 2 ** 20;
let scratch: string;
let input: string;

beforeAll(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-cuts-'));
  input = path.join(scratch, 'input');
  fs.mkdirSync(input);
  fs.writeFileSync(path.join(input, 'noise'), noise(70 * MIB));
  fs.writeFileSync(path.join(input, 'medium'), noise(5 * MIB + 17).subarray(3));
  fs.writeFileSync(path.join(input, 'zeros'), Buffer.alloc(9 * MIB));
  fs.writeFileSync(path.join(input, 'text'), 'all the same lines\n'.repeat(200_000));
  // By its beginning an image: elsewhere it would be cut by pages.
  fs.writeFileSync(
    path.join(input, 'image'),
    Buffer.concat([Buffer.from('XFSB'), noise(4 * MIB).subarray(4)]),
  );
  for (let i = 0; i < 20; i += 1) fs.writeFileSync(path.join(input, `small${i}`), `small ${i}`);
});
afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

/** The same in each run: one stream, of which each body is the beginning. */
function noise(bytes: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(
    Buffer.alloc(bytes),
  );
}

function restic(folder: string, ...words: string[]): string {
  return execFileSync('restic', ['--no-cache', '-q', '-r', folder, ...words], {
    env: { ...process.env, RESTIC_PASSWORD: 'cuts' },
    encoding: 'utf8',
  });
}

const open = async (folder: string) =>
  openRepository({ storage: await openStorage(folder), password: new Secret('cuts') });

test('what restic stored is not stored again, and restic stores nothing of ours again', async () => {
  const folder = path.join(scratch, 'adopted');
  restic(folder, 'init');
  restic(folder, 'backup', input);
  const repository = await open(folder);
  try {
    const { stats } = await backupPaths(repository, [input]);
    expect(stats.dataBlobs).toBe(0);
    expect(await repositoryStats(repository)).toMatchObject({ cuttingStyle: 'rabin' });

    fs.writeFileSync(path.join(input, 'new'), noise(20 * MIB).reverse());
    const second = await backupPaths(repository, [input]);
    expect(second.stats.dataBlobs).toBeGreaterThan(0);
    const summary = restic(folder, 'backup', '--json', '--force', input).trim().split('\n').at(-1);
    expect(JSON.parse(summary as string)).toMatchObject({ message_type: 'summary', data_blobs: 0 });
  } finally {
    await repository.close();
  }
}, 120_000);

test('a repository that is ours alone keeps its own cuts', async () => {
  const folder = path.join(scratch, 'ours');
  const storage = await openStorage(folder);
  const scrypt = { N: 1024, r: 8, p: 1 };
  await (await createRepository({ storage, password: new Secret('cuts'), scrypt })).close();
  const first = await open(folder);
  await backupPaths(first, [input]);
  await first.close();
  const again = await open(folder);
  expect(await again.cuttingStyle()).toBe('gear');
  await again.close();
}, 60_000);
