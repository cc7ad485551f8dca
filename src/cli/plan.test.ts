import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const main = path.resolve(import.meta.dirname, 'main.ts');

let folder: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast plan-'));
});
afterEach(() => fs.rm(folder, { recursive: true, force: true }));

type Ended = { code: number | null; out: string; err: string };

function holdfast(words: readonly string[], variables: Record<string, string> = {}) {
  return new Promise<Ended>((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...words], {
      cwd: folder,
      env: { PATH: process.env.PATH, HOME: folder, XDG_CONFIG_HOME: folder, ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended: Ended = { code: null, out: '', err: '' };
    child.stdout.on('data', (bytes: Buffer) => {
      ended.out += bytes.toString();
    });
    child.stderr.on('data', (bytes: Buffer) => {
      ended.err += bytes.toString();
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ ...ended, code }));
  });
}

const FILE = `apiVersion: holdfast/v1
name: shop
repository: {url: ./repository, password: "\${PASSWORD}"}
stores:
  media: {type: files, path: media, protect: {every: 5m}}
  cache: {type: redis, protect: none, because: rebuilt at login}
`;

const write = (text: string) => fs.writeFile(path.join(folder, 'holdfast.yaml'), text);

test('a protected environment passes the gate; nothing is written', async () => {
  await write(FILE);
  await fs.mkdir(path.join(folder, 'media'));
  await fs.writeFile(path.join(folder, 'media', 'a.jpg'), 'x'.repeat(2048));
  const { code, out, err } = await holdfast(['plan', '--gate'], { PASSWORD: 'hush-hush' });
  expect(err).toBe('');
  expect(code).toBe(0);
  expect(out).toContain('shop/production · 2 stores, 0 services · changes nothing');
  expect(out).toMatch(/^✓ media {6}folder, every 5m {2}5m {4}ready$/m);
  expect(out).toMatch(/^· cache .*"rebuilt at login"$/m);
  expect(out).not.toContain('hush-hush');
  expect(await fs.readdir(folder)).toEqual(['holdfast.yaml', 'media']);
});

test('what is missing is told with the statement that mends it, and fails the gate', async () => {
  await write(FILE);
  const variables = { PASSWORD: 'p' };
  const shown = await holdfast(['plan'], variables);
  expect(shown.code).toBe(0);
  expect(shown.out).toContain('mkdir -p');
  const gated = await holdfast(['plan', '--gate', '--json'], variables);
  expect(gated.code).toBe(6);
  expect(JSON.parse(gated.out)).toMatchObject({ environment: 'shop', unprotected: ['media'] });
});

test('a database that does not answer is shown and is no crash', async () => {
  const variables = { DATABASE_URL: 'postgresql://app:hush-hush@127.0.0.1:1/shop' };
  const { code, out, err } = await holdfast(['plan', '--gate'], variables);
  expect(code).toBe(6);
  expect(out).toContain('no holdfast.yaml here · 1 store seen');
  expect(out).toMatch(/^✗ database .*DATABASE_URL$/m);
  expect(out + err).not.toContain('hush-hush');
});

test('every problem of the file is named at its place', async () => {
  await write(FILE.replace('protect: {', 'protct: {'));
  const { code, err } = await holdfast(['plan']);
  expect(code).toBe(2);
  expect(err).toContain('holdfast.yaml:3:43: repository.password: ${PASSWORD}: the variable');
  expect(err).toContain('holdfast.yaml:5:37: stores.media.protct: is not a known field');
  expect(err).not.toMatch(/\n\s+at /);
});

test('an overlay that is not there is not found', async () => {
  await write(FILE);
  expect((await holdfast(['plan', '-e', 'staging'], { PASSWORD: 'p' })).code).toBe(5);
});

test('init shows a first file, and never writes over one', async () => {
  const dry = await holdfast(['init', '--dry-run']);
  expect(dry.code).toBe(0);
  expect(dry.out).toContain('apiVersion: holdfast/v1');
  expect(await fs.readdir(folder)).toEqual([]);
  await write(FILE);
  const refused = await holdfast(['init']);
  expect(refused.code).toBe(4);
  expect(await fs.readFile(path.join(folder, 'holdfast.yaml'), 'utf8')).toBe(FILE);
});
