/**
 * Control planes on a Postgres that others keep, as a role with no more than it needs: one leads, another one stands by
 * and takes over when the first is killed; the database restarts under them; all of it is lost and rebuilt.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sleepMs, systemClock } from '#base';
import { startTestServer, type TestServer } from '../../src/sources/postgres/test-server.ts';
import {
  type Ended,
  expectClearFailure,
  expectCode,
  running,
  startHoldfast,
} from './command-line.ts';

let folder: string;
let database: TestServer;
const started: (() => Promise<void>)[] = [];

const stateOf = (plane: string) => path.join(folder, plane);

function variablesOf(plane: string): Record<string, string> {
  return {
    HOLDFAST_STATE: stateOf(plane),
    HOLDFAST_DATABASE_URL: database.url('keeper', 'kept', 'catalog'),
    HOLDFAST_PASSWORD: 'correct horse',
  };
}

const declaration = () => ['--file', path.join(folder, 'holdfast.yaml')];

function holdfast(
  plane: string,
  words: string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  return startHoldfast(words, { env: { ...variablesOf(plane), ...env } }).ended;
}

async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadlineMs = systemClock.monotonicMs() + 60_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`never: ${what}`);
    await sleepMs(200);
  }
}

type Status = { points: number; stores: { captures: number; unchangedThroughMs?: number }[] };

async function statusOf(plane: string): Promise<Status | undefined> {
  const { code, stdout } = await holdfast(plane, ['status', '--json']);
  return code === 0 ? (JSON.parse(stdout) as Status) : undefined;
}

async function pidOf(plane: string): Promise<number> {
  const text = await fs.readFile(path.join(stateOf(plane), 'server.json'), 'utf8');
  return (JSON.parse(text) as { pid: number }).pid;
}

/** `serve` in the foreground; resolves when it says how it stands. */
async function serve(plane: string): Promise<Record<string, string>> {
  const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts');
  const child = spawn(process.execPath, [main, 'serve', '--json'], {
    env: { ...process.env, ...variablesOf(plane) },
  });
  const { ended } = running(child);
  started.push(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  return new Promise((resolve, reject) => {
    child.stdout.once('data', (line) => resolve(JSON.parse(String(line))));
    void ended.then(({ stderr }) => reject(new Error(`serve ended: ${stderr}`)));
  });
}

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast shared-'));
  await fs.chmod(folder, 0o755);
  database = await startTestServer({ major: 15 });
  await database.sql(
    "create role keeper login password 'kept'",
    'create database catalog owner keeper',
    "create role stranger login password 'strange'",
  );
  await fs.mkdir(path.join(folder, 'uploads'));
  await fs.writeFile(path.join(folder, 'uploads/one.txt'), 'one');
  await fs.writeFile(
    path.join(folder, 'holdfast.yaml'),
    `apiVersion: holdfast/v1
name: shop
repository: {url: "${folder}/repository", password: "\${HOLDFAST_PASSWORD}"}
objectives: {rpo: 10s}
stores:
  uploads: {type: files, path: "${folder}/uploads", protect: continuous}
`,
  );
});

afterAll(async () => {
  for (const stop of started) await stop();
  for (const plane of ['first', 'third']) await holdfast(plane, ['down']);
  await database?.remove();
  await fs.rm(folder, { recursive: true, force: true });
});

test('a role that may not make schemas is told what it lacks', async () => {
  const HOLDFAST_DATABASE_URL = database.url('stranger', 'strange', 'catalog');
  expectClearFailure(
    await holdfast('first', ['up', '-d', ...declaration()], { HOLDFAST_DATABASE_URL }),
    {
      code: 4,
      says: /permission denied for database catalog/,
      advises: /grant create on database "catalog" to "stranger"/,
    },
  );
});

test('an ordinary role is enough to protect an environment', async () => {
  const up = await holdfast('first', ['up', '-d', '--wait', ...declaration()]);
  expect(up).toMatchObject({ code: 0, stderr: '' });
  expect(await fs.readdir(stateOf('first'))).not.toContain('catalog');
  const noted = await fs.readFile(path.join(stateOf('first'), 'shared-catalog'), 'utf8');
  expect(noted).not.toContain('kept');
});

test('a second one on the same catalog stands by, and says for whom', async () => {
  const pid = await pidOf('first');
  expect((await serve('second')).standsBy).toContain(`pid ${pid}`);
  for (const words of [['status'], ['up', ...declaration()]]) {
    expectClearFailure(await holdfast('second', words), {
      code: 4,
      says: new RegExp(`stands by: .*pid ${pid}`),
      advises: /takes over/,
    });
  }
  const third = await holdfast('third', ['up', '-d', ...declaration()]);
  expectCode(third, 4);
  await expect(pidOf('third')).rejects.toThrow();
});

test('when the first is killed the second goes on with everything, and protects what comes', async () => {
  const before = (await statusOf('first')) as Status;
  process.kill(await pidOf('first'), 'SIGKILL');
  await fs.writeFile(path.join(folder, 'uploads/two.txt'), 'two');
  const after = await eventually('a capture by the second', async () => {
    const status = await statusOf('second');
    const grew = (status?.stores[0]?.captures ?? 0) > (before.stores[0]?.captures ?? 0);
    return grew ? status : undefined;
  });
  expect(after.points).toBeGreaterThanOrEqual(before.points);
  expectCode(await holdfast('second', ['protect']), 0);
});

test('a restart of the database ends nothing', async () => {
  const pid = await pidOf('second');
  await database.stop('immediate');
  await fs.writeFile(path.join(folder, 'uploads/three.txt'), 'three');
  await database.start();
  await eventually('a status again', () => statusOf('second'));
  expectCode(await holdfast('second', ['protect']), 0);
  expect(await pidOf('second')).toBe(pid);
  // It still leads, or another one would get the lock.
  expectCode(await holdfast('third', ['up', '-d', ...declaration()]), 4);
});

test('a catalog that is lost with all its control planes is rebuilt into the same database', async () => {
  const before = (await statusOf('second')) as Status;
  await holdfast('second', ['down']);
  await database.sql('drop database catalog', 'create database catalog owner keeper');
  const rebuilt = await holdfast('third', ['rebuild', '--json', '--repo', `${folder}/repository`]);
  expectCode(rebuilt, 0);
  const { points } = JSON.parse(rebuilt.stdout) as { points: number };
  expect(points).toBeGreaterThanOrEqual(before.points);
  await holdfast('third', ['down']);
  expectClearFailure(
    await holdfast('third', ['up', '-d', ...declaration()], { HOLDFAST_DATABASE_URL: '' }),
    {
      code: 2,
      says: /catalog of this state folder lies in postgresql:\/\/keeper:\*\*\*@/,
      advises: /Set it/,
    },
  );
});
