/** A folder that holds everything: captured, stored, restored from the repository alone, and compared with itself. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { quietLogger, Secret, silent } from '#base';
import { captureStore } from '#capture';
import { restoreTree } from '#recovery';
import { type CaptureRecord, createRepository, openStorage, type Repository } from '#repository';
import { findSource, type Source } from '#sources';
import {
  allocatedBytes,
  describeTree,
  isRoot,
  makeEverythingTree,
  makeSocket,
} from '../everything-tree.ts';

let scratch: string;
let original: string;
let repository: Repository;

beforeAll(async () => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-roundtrip-'));
  original = path.join(scratch, 'original');
  fs.mkdirSync(original, { mode: 0o750 });
  makeEverythingTree(original);
  repository = await createRepository({
    storage: await openStorage(path.join(scratch, 'repository')),
    password: new Secret('roundtrip'),
    scrypt: { N: 1024, r: 8, p: 1 },
  });
});

afterAll(async () => {
  await repository?.close();
  fs.rmSync(scratch, { recursive: true, force: true });
});

function capture(previous?: CaptureRecord, changed?: Set<string>): Promise<CaptureRecord> {
  return captureStore({
    repository,
    source: findSource('files') as Source,
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
    ...(previous && { previous }),
    ...(changed && { changedDirectories: changed }),
  });
}

async function restore(record: CaptureRecord, target: string) {
  await repository.loadIndex();
  const { tree } = await repository.snapshots.load(record.snapshot);
  const { root } = record;
  return await restoreTree({ repository, tree, target, ...(root && { root }) });
}

describe('a folder with everything in it', () => {
  let first: CaptureRecord;

  it('comes back exactly', async () => {
    first = await capture();
    expect(first.problems).toEqual([]);
    const target = path.join(scratch, 'restored');
    const result = await restore(first, target);
    expect(result).toMatchObject({ problems: [], notes: [] });
    expect(await describeTree(target)).toEqual(await describeTree(original));
    expect(allocatedBytes(`${target}/sparse`)).toBeLessThan(4 * 1024 * 1024);
  });

  it('comes back exactly also where only what a watcher named was looked at', async () => {
    fs.appendFileSync(`${original}/deep/er/est/large`, 'more');
    fs.mkdirSync(`${original}/deep/new/er`, { recursive: true });
    fs.writeFileSync(`${original}/deep/new/er/file`, 'new');
    fs.rmSync(`${original}/zz-same-text`);
    const closeSocket = await makeSocket(`${original}/socket`);
    const changed = new Set(['', 'deep', 'deep/new', 'deep/new/er', 'deep/er/est']);
    const second = await capture(first, changed);
    expect(second.problems).toEqual([]);
    const target = path.join(scratch, 'restored-again');
    const result = await restore(second, target);
    await closeSocket();
    expect(result).toMatchObject({
      problems: [],
      notes: ['1 sockets were left out: the process that listens makes them'],
    });
    // Closing the socket removed it, and with that changed the time of the folder.
    const [before, after] = [await describeTree(original), await describeTree(target)];
    expect(after.get('')).toMatchObject({ mtimeNs: second.root?.mtimeNs });
    for (const described of [before, after]) described.delete('');
    expect(after).toEqual(before);
  });

  it.runIf(isRoot)('is restored by restic in the same way', async () => {
    const target = path.join(scratch, 'by-restic');
    const env = {
      ...process.env,
      RESTIC_PASSWORD: 'roundtrip',
      RESTIC_REPOSITORY: path.join(scratch, 'repository'),
      RESTIC_CACHE_DIR: path.join(scratch, 'cache'),
    };
    const { snapshot } = await capture();
    execFileSync('restic', ['restore', snapshot, '--target', target], { env });
    const [before, after] = [await describeTree(original), await describeTree(target)];
    // restic 0.14 knows link targets as UTF-8 only: it reads past the field that holds the raw bytes.
    for (const described of [before, after]) {
      described.delete('');
      described.delete('link-raw');
    }
    expect(after).toEqual(before);
  });
});
