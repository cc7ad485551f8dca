/** Files that can't be read, or vanish between being looked at and being read: named, and the rest is captured. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findUser, quietLogger, Secret, silent } from '#base';
import { captureStore } from '#capture';
import { restoreTree } from '#recovery';
import { type CaptureRecord, createRepository, openStorage, type Repository } from '#repository';
import { type Capture, findSource, type Source } from '#sources';
import { isRoot } from '../everything-tree.ts';

let scratch: string;
let original: string;
let repository: Repository;

beforeAll(async () => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-motion-'));
  // Another user captures too.
  fs.chmodSync(scratch, 0o777);
  original = path.join(scratch, 'original');
  fs.mkdirSync(`${original}/deep`, { recursive: true });
  for (const name of ['a', 'deep/b', 'deep/c', 'd']) fs.writeFileSync(`${original}/${name}`, name);
  repository = await createRepository({
    storage: await openStorage('memory:files-in-motion'),
    password: new Secret('motion'),
    scrypt: { N: 1024, r: 8, p: 1 },
  });
});

afterAll(async () => {
  await repository?.close();
  fs.rmSync(scratch, { recursive: true, force: true });
});

const files = findSource('files') as Source;

function capture(source: Source = files): Promise<CaptureRecord> {
  return captureStore({
    repository,
    source,
    store: {
      name: 'uploads',
      environment: 'shop',
      stage: 'test',
      rpoMs: 60_000,
      protect: { kind: 'every', everyMs: 60_000 },
      own: { path: original, exclude: [], oneFileSystem: false },
    },
    context: {
      log: quietLogger,
      progress: silent,
      signal: new AbortController().signal,
      stateFolder: scratch,
    },
  });
}

async function restoredNames(record: CaptureRecord, name: string): Promise<string[]> {
  await repository.loadIndex();
  const { tree } = await repository.snapshots.load(record.snapshot);
  const target = path.join(scratch, name);
  expect(await restoreTree({ repository, tree, target })).toMatchObject({ problems: [] });
  return (fs.readdirSync(target, { recursive: true }) as string[]).sort();
}

it.runIf(isRoot)('a file that this user may not read is named', async () => {
  // Everything of the project that a capture needs is loaded first: the checkout may be closed to others.
  await capture();
  fs.chmodSync(`${original}/deep/b`, 0o600);
  process.seteuid?.(findUser('nobody')?.uid ?? 65_534);
  let record: CaptureRecord;
  try {
    record = await capture();
  } finally {
    process.seteuid?.(0);
  }
  expect(record.problems).toEqual([
    { path: 'deep/b', what: expect.stringContaining('permission') },
  ]);
  expect(await restoredNames(record, 'unreadable')).toEqual(['a', 'd', 'deep', 'deep/c']);
});

it('a file that vanishes after it was looked at is named', async () => {
  const vanishing: Source = {
    ...files,
    capture: async (...words) => removingWhenSeen(await files.capture(...words), 'deep/c'),
  };
  // What is as it was at the last capture is not read again, and can't vanish.
  fs.writeFileSync(`${original}/deep/c`, 'changed since');
  const record = await capture(vanishing);
  expect(record.problems).toEqual([{ path: 'deep/c', what: expect.stringContaining('vanished') }]);
  expect(await restoredNames(record, 'vanished')).toEqual(['a', 'd', 'deep', 'deep/b']);
});

/** The same capture, in which one file is removed between its folder's listing and the reading of its content. */
function removingWhenSeen(whole: Capture, name: string): Capture {
  return {
    ...whole,
    async *events() {
      for await (const event of whole.events()) {
        if (event.kind === 'folder' && event.path.toString() === path.dirname(name)) {
          fs.rmSync(`${original}/${name}`);
        }
        yield event;
      }
    },
  };
}
