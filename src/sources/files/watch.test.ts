import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { quietLogger, silent } from '#base';
import type { StoreSettings, WatchNews } from '../source.ts';
import { type FilesSettings, filesSchema } from './config.ts';
import { watchFiles } from './watch.ts';

let folder: string;
let stop: AbortController;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-watch-'));
  fs.mkdirSync(`${folder}/root/a/deep/er`, { recursive: true });
  stop = new AbortController();
});
afterEach(() => {
  stop.abort();
  fs.rmSync(folder, { recursive: true, force: true });
});

type Changes = AsyncGenerator<WatchNews>;

/** Has seen that the watch stands: the first thing it says is "look through everything". */
async function startWatch(own: Partial<FilesSettings> = {}): Promise<Changes> {
  const store: StoreSettings<FilesSettings> = {
    name: 'uploads',
    environment: 'shop',
    stage: 'test',
    rpoMs: 1_000,
    protect: { kind: 'continuous' },
    own: filesSchema.parse({ path: `${folder}/root`, ...own }),
  };
  const context = {
    log: quietLogger,
    progress: silent,
    signal: stop.signal,
    stateFolder: folder,
  };
  const changes = watchFiles(store, context);
  expect(await changes.next()).toMatchObject({ done: false, value: { directories: undefined } });
  return changes;
}

/** Collects batches until all of these directories were named. Ends by the test's time limit if they never are. */
async function seen(changes: Changes, wanted: readonly string[]): Promise<Set<string>> {
  const all = new Set<string>();
  while (!wanted.every((directory) => all.has(directory))) {
    const { value } = await changes.next();
    expect(value?.directories, 'a set of directories and no rescan').toBeInstanceOf(Set);
    for (const directory of value?.directories ?? []) all.add(directory);
  }
  return all;
}

it('names the directory of what is written, created, removed, linked and changed in its rights', async () => {
  const changes = await startWatch();
  const at = (name: string) => `${folder}/root/${name}`;
  fs.writeFileSync(at('a/new'), 'x');
  expect(await seen(changes, ['a'])).toEqual(new Set(['a']));
  fs.appendFileSync(at('a/new'), 'y');
  expect(await seen(changes, ['a'])).toEqual(new Set(['a']));
  fs.linkSync(at('a/new'), at('a/deep/er/link'));
  // The number of links is an attribute of the file: both names tell it.
  expect(await seen(changes, ['a/deep/er'])).toContain('a/deep/er');
  fs.rmSync(at('a/deep/er/link'));
  await seen(changes, ['a/deep/er']);
  fs.chmodSync(at('a/deep'), 0o711);
  expect(await seen(changes, ['a/deep'])).toEqual(new Set(['a', 'a/deep']));
});

it('watches new and moved-in folders at once, and takes all in them as changed', async () => {
  const changes = await startWatch();
  fs.mkdirSync(`${folder}/elsewhere/one/two`, { recursive: true });
  fs.writeFileSync(`${folder}/elsewhere/one/two/file`, 'x');
  fs.renameSync(`${folder}/elsewhere`, `${folder}/root/moved`);
  expect(await seen(changes, ['moved/one/two'])).toEqual(
    new Set(['', 'moved', 'moved/one', 'moved/one/two']),
  );
  fs.writeFileSync(`${folder}/root/moved/one/two/file`, 'y');
  expect(await seen(changes, ['moved/one/two'])).toEqual(new Set(['moved/one/two']));
  fs.mkdirSync(`${folder}/root/n1/n2/n3`, { recursive: true });
  fs.writeFileSync(`${folder}/root/n1/n2/n3/file`, 'x');
  await seen(changes, ['', 'n1', 'n1/n2', 'n1/n2/n3']);
});

it('follows a renamed folder under its new name', async () => {
  const changes = await startWatch();
  fs.renameSync(`${folder}/root/a/deep`, `${folder}/root/renamed`);
  await seen(changes, ['', 'a', 'renamed', 'renamed/er']);
  fs.writeFileSync(`${folder}/root/renamed/er/file`, 'x');
  expect(await seen(changes, ['renamed/er'])).toEqual(new Set(['renamed/er']));
});

it('says nothing of what is excluded', async () => {
  const changes = await startWatch({ exclude: ['*.tmp', 'cache/'] });
  fs.mkdirSync(`${folder}/root/cache/x`, { recursive: true });
  fs.writeFileSync(`${folder}/root/cache/x/file`, 'x');
  fs.writeFileSync(`${folder}/root/a/deep/f.tmp`, 'x');
  fs.writeFileSync(`${folder}/root/a/last`, 'x');
  expect(await seen(changes, ['a'])).toEqual(new Set(['a']));
});

it('keeps names that are no UTF-8', async () => {
  const changes = await startWatch();
  const name = Buffer.concat([Buffer.from(`${folder}/root/`), Buffer.from([0xff, 0xe4])]);
  fs.mkdirSync(name);
  await seen(changes, ['', '\xff\xe4']);
  fs.writeFileSync(Buffer.concat([name, Buffer.from('/f')]), 'x');
  await seen(changes, ['\xff\xe4']);
});

it('asks for a rescan when the queue of the kernel overflowed, and goes on', async () => {
  const changes = await startWatch();
  const limit = Number(fs.readFileSync('/proc/sys/fs/inotify/max_queued_events', 'latin1'));
  // Without a turn of the event loop nothing is taken from the queue. Two names by turns: equal events would be joined.
  const pair = [`${folder}/root/x`, `${folder}/root/y`];
  for (const file of pair) fs.writeFileSync(file, '');
  for (let count = 0; count < limit / 2 + 8; count += 1) {
    for (const file of pair) fs.chmodSync(file, count % 2 ? 0o600 : 0o644);
  }
  let batch = await changes.next();
  while (batch.value?.directories !== undefined) batch = await changes.next();
  expect(batch.done).toBe(false);
  fs.writeFileSync(`${folder}/root/a/after`, 'x');
  await seen(changes, ['a']);
});

it('goes over to the folder that takes the place of the watched one', async () => {
  const changes = await startWatch();
  fs.mkdirSync(`${folder}/next/b`, { recursive: true });
  fs.renameSync(`${folder}/root`, `${folder}/before`);
  fs.renameSync(`${folder}/next`, `${folder}/root`);
  let batch = await changes.next();
  while (batch.value?.directories !== undefined) batch = await changes.next();
  fs.writeFileSync(`${folder}/root/b/file`, 'x');
  await seen(changes, ['b']);
});

it('tells up to which instant it has seen everything, also while nothing happens', async () => {
  const changes = await startWatch();
  fs.writeFileSync(`${folder}/root/a/file`, 'x');
  const writtenMs = Date.now();
  let throughMs = 0;
  const told = new Set<string>();
  while (throughMs <= writtenMs) {
    const { value } = await changes.next();
    for (const directory of value?.directories ?? []) told.add(directory);
    throughMs = value?.throughMs ?? 0;
  }
  expect(told).toEqual(new Set(['a']));
  let quiet = await changes.next();
  while (quiet.value?.directories?.size !== 0) quiet = await changes.next();
  expect(quiet.value.throughMs).toBeGreaterThan(throughMs);
});

it('ends when it is aborted', async () => {
  const changes = await startWatch();
  const next = changes.next();
  stop.abort();
  expect(await next).toEqual({ done: true, value: undefined });
});

it('says which folder is missing', async () => {
  fs.rmSync(`${folder}/root`, { recursive: true });
  await expect(startWatch()).rejects.toMatchObject({ code: 'sources/folder-missing' });
});

it('names the limit of the kernel and how to raise it', async () => {
  for (let index = 0; index < 8; index += 1) fs.mkdirSync(`${folder}/root/f${index}`);
  const script = `
    import { watchFiles } from ${JSON.stringify(new URL('./watch.ts', import.meta.url).href)};
    const signal = new AbortController().signal;
    const own = { path: ${JSON.stringify(`${folder}/root`)}, exclude: [], oneFileSystem: false };
    try {
      for await (const _ of watchFiles({ name: 'uploads', rpoMs: 1000, own }, { signal })) break;
      console.log('watched');
    } catch (error) {
      console.log(error.code + ' ' + error.guidance);
    }`;
  // A user namespace has a limit of its own, so that no other process feels it.
  const limited =
    'echo 3 >/proc/sys/user/max_inotify_watches && exec "$0" --input-type=module -e "$1"';
  const words = ['-r', 'sh', '-c', limited, process.execPath, script];
  const said = execFileSync('unshare', words, { encoding: 'utf8' });
  expect(said).toMatch(
    /^sources\/watch-limit As root: sysctl -w fs\.inotify\.max_user_watches=\d+ /,
  );
});
