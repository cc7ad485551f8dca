/** A repository that restic made and uses: looked at, checked and taken into an environment, without a change to it. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { Secret } from '#base';
import { openRepository, openStorage, readOnly } from '#repository';
import { expectClearFailure, expectCode, startHoldfast } from './command-line.ts';

const PASSWORD = 'of restic';

let scratch: string;
let repository: string;
const inScratch = (name: string) => path.join(scratch, name);

function restic(...words: string[]): string {
  const env = { ...process.env, RESTIC_PASSWORD: PASSWORD };
  const given = ['--no-cache', '-r', repository, ...words];
  return execFileSync('restic', given, {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

beforeAll(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-adopt-'));
  repository = inScratch('pristine');
  fs.mkdirSync(inScratch('data'));
  fs.writeFileSync(inScratch('data/file'), 'some data');
  fs.writeFileSync(inScratch('password'), `${PASSWORD}\n`);
  restic('init');
  restic('backup', '--quiet', '--host', 'web1', '--tag', 'nightly', inScratch('data'));
  restic('backup', '--quiet', '--host', 'web2', inScratch('data'));
});

let copies = 0;

beforeEach(() => {
  copies += 1;
  repository = inScratch(`repository-${copies}`);
  fs.cpSync(inScratch('pristine'), repository, { recursive: true });
  fs.rmSync(inScratch('holdfast.yaml'), { force: true });
});

afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

/** Names, sizes, times and inodes of all its files. */
function state(): string[] {
  const names = fs.readdirSync(repository, { recursive: true }).map(String).sort();
  return names.map((name) => {
    const { size, mtimeNs, ino } = fs.statSync(path.join(repository, name), { bigint: true });
    return `${name} ${size} ${mtimeNs} ${ino}`;
  });
}

async function adopt(...words: string[]) {
  const named = ['--repo', repository, '--password-file', inScratch('password')];
  const file = ['--file', inScratch('holdfast.yaml')];
  return await startHoldfast(['repo', 'adopt', ...named, ...file, ...words]).ended;
}

test('what it holds is shown, and nothing of it is changed', async () => {
  // As a client that is at work leaves it.
  const env = { ...process.env, RESTIC_PASSWORD: PASSWORD };
  const words = ['--no-cache', '-r', repository, 'backup', '--stdin', '--quiet'];
  const client = execFileSync(
    'sh',
    ['-c', 'restic "$@" < /dev/zero & pid=$!; sleep 2; kill -9 $pid', 'sh', ...words],
    { env, stdio: 'ignore' },
  );
  expect(client).toBeNull();
  const before = state();
  const shown = await adopt();
  expect(shown.stderr).toBe('');
  expectCode(shown, 0);
  expect(state()).toEqual(before);
  expect(shown.stdout).toMatch(/snapshots {3}2, /);
  expect(shown.stdout).toMatch(/^web1 +1 .*nightly/m);
  expect(shown.stdout).toMatch(/^in use +by PID/m);
  expect(shown.stdout).toMatch(/^✓ whole/m);
  expect(shown.stdout).toContain(
    `repository:\n  url: ${repository}\n  password: \${file:${inScratch('password')}}\n`,
  );
  for (const line of shown.stdout.split('\n').filter((each) => !each.includes(scratch))) {
    expect(line.length).toBeLessThanOrEqual(80);
  }
});

test('it is taken into a declaration that is there, which keeps everything else', async () => {
  const declared = [
    '# What must come back.',
    'apiVersion: holdfast/v1',
    'name: shop',
    'repository: {url: /srv/other, password: "${OTHER}"} # to be moved',
    'objectives: {rpo: 5s, rto: 2m}',
    'stores:',
    `  # The folder.`,
    `  data: {type: files, path: ${inScratch('data')}, protect: {every: 5m}}`,
    '',
  ].join('\n');
  fs.writeFileSync(inScratch('holdfast.yaml'), declared, { mode: 0o640 });
  const before = state();
  expectCode(await adopt('--write'), 0);
  const text = fs.readFileSync(inScratch('holdfast.yaml'), 'utf8');
  const [line] = text.split('\n').filter((each) => each.startsWith('repository:'));
  expect(line).toContain(repository);
  expect(text.replace(`${line}\n`, '')).toBe(declared.replace(/^repository:.*\n/m, ''));
  expect(fs.statSync(inScratch('holdfast.yaml')).mode & 0o777).toBe(0o640);
  const again = await adopt('--write', '--json');
  expect(JSON.parse(again.stdout)).toMatchObject({ written: 'same', verdict: 'pass' });
  expect(state()).toEqual(before);
  const plan = await startHoldfast(['plan', '-f', inScratch('holdfast.yaml'), '--json']).ended;
  expect(plan.stderr).toBe('');
  expect(JSON.parse(plan.stdout)).toMatchObject({ environment: 'shop', unprotected: [] });
  expect(state()).toEqual(before);
});

test('what is missing of it is named', async () => {
  const [pack] = fs
    .readdirSync(path.join(repository, 'data'), { recursive: true })
    .map(String)
    .filter((name) => name.length > 60);
  fs.rmSync(path.join(repository, 'data', pack as string));
  const shown = await adopt('--json');
  expectCode(shown, 6);
  expect(JSON.parse(shown.stdout)).toMatchObject({ verdict: 'fail' });
  expect(shown.stdout).toContain(path.basename(pack as string));
});

test('a file that is no YAML, and a repository that is none, are refused', async () => {
  fs.writeFileSync(inScratch('holdfast.yaml'), 'stores: [');
  expectClearFailure(await adopt('--write'), { code: 2, says: /no YAML/, advises: /plan/ });
  expect(fs.readFileSync(inScratch('holdfast.yaml'), 'utf8')).toBe('stores: [');
  fs.rmSync(path.join(repository, 'config'));
  expectClearFailure(await adopt(), { code: 5, says: /no repository/, advises: /address/ });
});

test('a storage that is only read changes nothing, whatever is asked of it', async () => {
  const before = state();
  const opened = await openRepository({
    storage: readOnly(await openStorage(repository)),
    password: new Secret(PASSWORD),
  });
  await expect(opened.lock('shared')).rejects.toMatchObject({ code: 'repository/read-only' });
  await expect(opened.sealed.write('a', Buffer.from('b'))).rejects.toMatchObject({
    code: 'repository/read-only',
  });
  await opened.close();
  expect(state()).toEqual(before);
});
