/** Snapshots as folders: what is seen through a mount, and that none is ever left behind. */
import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { describeTree, makeEverythingTree } from '../everything-tree.ts';
import { expectClearFailure, type Running, startHoldfast } from './command-line.ts';

let scratch: string;
let original: string;
let mountPoint: string;
let repository: string;
let mounted: Running | undefined;

const env = () => ({ HOLDFAST_PASSWORD: 'mounted', HOLDFAST_REPOSITORY: repository });

async function holdfast(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await startHoldfast(['repo', ...words], { env: env() }).ended;
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 20_000;
  while (!holds()) {
    if (Date.now() > deadlineMs) throw new Error(`never: ${what}`);
    await delay(25);
  }
}

const isMounted = () =>
  fs.readFileSync('/proc/self/mounts', 'utf8').includes(` ${mountPoint.replaceAll(' ', '\\040')} `);

async function mount(): Promise<void> {
  const running = startHoldfast(['repo', 'mount', mountPoint], { env: env() });
  mounted = running;
  const failed = running.ended.then(({ stderr }) => Promise.reject(new Error(stderr)));
  failed.catch(() => undefined);
  const told = new Promise((resolve) => running.child.stdout?.once('data', resolve));
  await Promise.race([told, failed]);
}

beforeAll(async () => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast mount-'));
  original = path.join(scratch, 'original');
  mountPoint = path.join(scratch, 'seen here');
  repository = path.join(scratch, 'repository');
  fs.mkdirSync(original);
  fs.mkdirSync(mountPoint);
  makeEverythingTree(original);
  await holdfast('init');
  await holdfast('backup', original, '--tag', 'first');
});

afterEach(async () => {
  mounted?.child.kill('SIGINT');
  await mounted?.ended;
  mounted = undefined;
  expect(isMounted()).toBe(false);
});

afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

const seen = (folder: string) => path.join(mountPoint, folder, 'latest', original);

it('shows every file with its content and metadata, by time, host and tag', async () => {
  await mount();
  expect(await describeTree(seen('snapshots'))).toEqual(await describeTree(original));
  expect(fs.readdirSync(mountPoint).sort()).toEqual(['hosts', 'ids', 'snapshots', 'tags']);
  const text = `${seen(`hosts/${os.hostname()}`)}/text`;
  expect(fs.readFileSync(text, 'utf8')).toBe('some text\n');
  expect(fs.readFileSync(`${seen('tags/first')}/text`, 'utf8')).toBe('some text\n');
  expect(() => fs.writeFileSync(text, 'changed')).toThrow(/EROFS/);
  expect(() => fs.readFileSync(`${seen('snapshots')}/absent`)).toThrow(/ENOENT/);
});

it('reads from anywhere in a file what lies there', async () => {
  await mount();
  const file = 'deep/er/est/large';
  const whole = fs.readFileSync(path.join(original, file));
  const descriptor = fs.openSync(path.join(seen('snapshots'), file), 'r');
  for (let round = 0; round < 200; round += 1) {
    const offset = randomInt(whole.length + 10);
    const wanted = Buffer.alloc(randomInt(1, 300_000));
    const got = fs.readSync(descriptor, wanted, 0, wanted.length, offset);
    const lies = whole.subarray(offset, offset + wanted.length);
    expect(wanted.subarray(0, got).equals(lies), `${wanted.length} bytes at ${offset}`).toBe(true);
  }
  fs.closeSync(descriptor);
});

it('shows a snapshot that was made since', async () => {
  await mount();
  const before = fs.readdirSync(path.join(mountPoint, 'ids')).length;
  await holdfast('backup', path.join(original, 'text'), '--tag', 'second');
  await until('the new snapshot shows', () => fs.existsSync(path.join(mountPoint, 'tags/second')));
  expect(fs.readdirSync(path.join(mountPoint, 'ids'))).toHaveLength(before + 1);
});

it("says which file can't be read, and goes on with the others", async () => {
  const damaged = path.join(scratch, 'damaged');
  fs.cpSync(repository, damaged, { recursive: true });
  const whole = repository;
  repository = damaged;
  try {
    damageContents();
    await mount();
    const first = seen('tags/first');
    expect(() => fs.readFileSync(`${first}/deep/er/est/large`)).toThrow(/EIO/);
    expect(fs.readFileSync(`${first}/empty`)).toHaveLength(0);
    expect(fs.readdirSync(`${first}/deep`)).toContain('er');
  } finally {
    repository = whole;
  }
  mounted?.child.kill('SIGINT');
  expect((await mounted?.ended)?.stderr).toMatch(/^! .*damaged/m);
});

/** Flips bytes all over the packs that hold contents, which are the large ones; trees stay whole. */
function damageContents(): void {
  const entries = fs.readdirSync(`${repository}/data`, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((entry) => entry.isFile())) {
    const pack = path.join(entry.parentPath, entry.name);
    const bytes = fs.readFileSync(pack);
    if (bytes.length < 100_000) continue;
    for (let at = 0; at < bytes.length; at += 1000) bytes[at] = (bytes[at] ?? 0) ^ 1;
    fs.chmodSync(pack, 0o600);
    fs.writeFileSync(pack, bytes);
  }
}

it('goes away when it is interrupted though somebody looks at it, or killed, or unmounted', async () => {
  await mount();
  const descriptor = fs.openSync(path.join(seen('snapshots'), 'text'), 'r');
  mounted?.child.kill('SIGINT');
  expect((await mounted?.ended)?.code).toBe(130);
  expect(isMounted()).toBe(false);
  expect(() => fs.closeSync(descriptor)).toThrow(/ENOTCONN/);

  await mount();
  mounted?.child.kill('SIGKILL');
  await until('the mount point of a killed process is gone', () => !isMounted());
  expect(fs.readdirSync(mountPoint)).toEqual([]);

  await mount();
  execFileSync('umount', [mountPoint]);
  expect((await mounted?.ended)?.code).toBe(0);
});

it('refuses what can be no mount point', async () => {
  const run = (folder: string) => startHoldfast(['repo', 'mount', folder], { env: env() }).ended;
  const absent = await run(path.join(scratch, 'absent'));
  expectClearFailure(absent, { code: 2, says: /absent.*no such folder/, advises: /empty folder/ });
  expectClearFailure(await run(original), { code: 2, says: /not empty/, advises: /empty folder/ });
  const file = await run(path.join(original, 'text'));
  expectClearFailure(file, { code: 2, says: /no folder/, advises: /empty folder/ });
});
