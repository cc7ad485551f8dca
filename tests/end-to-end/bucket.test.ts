/** An environment whose repository lies in a locked bucket, over TLS, as holdfast.yaml declares it. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sleepMs, systemClock } from '#base';
import {
  type S3TestServer,
  startS3TestServer,
} from '../../src/repository/storage/s3/test-server.ts';
import { startHoldfast } from './command-line.ts';

let folder: string;
let server: S3TestServer;
let env: Record<string, string>;

const holdfast = (...words: string[]) => startHoldfast(words, { env }).ended;

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast bucket-'));
  await fs.chmod(folder, 0o755);
  server = await startS3TestServer();
  await server.makeBucket('hf-notes', { objectLock: true });
  await fs.mkdir(path.join(folder, 'notes'));
  await fs.writeFile(path.join(folder, 'notes/one'), 'one'.repeat(10_000));
  await fs.writeFile(path.join(folder, 'secret'), server.user.secretAccessKey);
  await fs.writeFile(
    path.join(folder, 'holdfast.yaml'),
    `apiVersion: holdfast/v1
name: notes
repository:
  url: s3:${server.tlsEndpoint}/hf-notes/production
  password: \${HOLDFAST_PASSWORD}
  s3:
    ca: ${server.caFile}
    credentials: {accessKeyId: "\${NOTES_KEY}", secretAccessKey: "\${file:secret}"}
  lock: 2d
  parity: 3%
stores:
  notes: {type: files, path: notes, protect: {every: 1h}}
`,
  );
  env = {
    HOLDFAST_STATE: path.join(folder, 'state'),
    XDG_CACHE_HOME: path.join(folder, 'cache'),
    HOLDFAST_PASSWORD: 'correct horse',
    NOTES_KEY: server.user.accessKeyId,
  };
});

afterAll(async () => {
  await holdfast('down', '--purge', '--recoveries', '--yes');
  await server?.stop();
  await fs.rm(folder, { recursive: true, force: true });
});

type Status = {
  maintenance: { check: { verdict: string; failing?: unknown }; findings: string[] };
};

test('it is protected, checked, locked, and comes back', { timeout: 240_000 }, async () => {
  const file = path.join(folder, 'holdfast.yaml');
  expect(await holdfast('up', '-d', '--wait', '--file', file)).toMatchObject({
    code: 0,
    stderr: '',
  });
  const deadlineMs = systemClock.monotonicMs() + 40_000;
  let status: Status;
  do {
    await sleepMs(200);
    status = JSON.parse((await holdfast('status', '--json')).stdout) as Status;
    expect(status.maintenance.check.failing).toBeUndefined();
  } while (
    status.maintenance.check.verdict === 'unknown' &&
    systemClock.monotonicMs() < deadlineMs
  );
  expect(status.maintenance).toMatchObject({ check: { verdict: 'pass' }, findings: [] });
  const listed = await holdfast('recover', '--to', 'latest', '--accept', 'notes', '--json');
  expect(listed.code, listed.stdout).toBe(0);
  const { stores } = JSON.parse(listed.stdout) as { stores: { directory: string }[] };
  const back = await fs.readFile(path.join(stores[0]?.directory ?? '', 'one'), 'utf8');
  expect(back).toBe('one'.repeat(10_000));
  const restic = ['--no-cache', '-r', `s3:${server.endpoint}/hf-notes/production`, 'check'];
  const options = { env: { ...process.env, ...server.env, RESTIC_PASSWORD: 'correct horse' } };
  expect(execFileSync('restic', restic, { ...options, encoding: 'utf8' })).toContain('no errors');
});
