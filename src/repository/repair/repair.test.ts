import fs from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { randomBytes, Secret } from '#base';
import { checkRepository } from '../check/check.ts';
import { inLanes } from '../in-lanes.ts';
import { packName } from '../names.ts';
import { createRepository, openRepository } from '../open.ts';
import type { Repository } from '../repository.ts';
import {
  FAST_SCRYPT,
  filesIn,
  flipByte,
  newFolder,
  open,
  QUICK,
  restic,
  tamper,
} from '../restic.fixture.ts';
import { readFiles, saveFiles } from '../saved-files.fixture.ts';
import { FaultyStorage } from '../storage/faulty.ts';
import { LocalStorage } from '../storage/local/local-storage.ts';
import { MemoryStorage } from '../storage/memory.ts';
import { repairIndex } from './repair-index.ts';
import { repairPacks } from './repair-packs.ts';
import { repairSnapshots } from './repair-snapshots.ts';

const FILES = new Map([
  ['a/first', randomBytes(700_000)],
  ['b/second', randomBytes(700_000)],
  ['small', randomBytes(300)],
]);

async function made() {
  const folder = await newFolder();
  const storage = new LocalStorage(folder);
  const password = new Secret(QUICK);
  const maker = await createRepository({ storage, password, scrypt: FAST_SCRYPT });
  const snapshot = await saveFiles(maker, FILES, 256 * 1024);
  await maker.close();
  const repository = await open(folder, QUICK);
  await repository.loadIndex();
  return { folder, repository, snapshot };
}

function packOf(repository: Repository, type: 'data' | 'tree', nth = 0): string {
  const packs = [...repository.index.packs()].filter(({ blobs }) => blobs[0]?.type === type);
  return packs[nth]?.id as string;
}

async function forgetCopies(folder: string): Promise<void> {
  await fs.rm(path.join(folder, 'holdfast/copies'), { recursive: true });
}

async function expectClean(folder: string): Promise<void> {
  expect(await restic(folder, QUICK, ['check', '--read-data'])).toContain('no errors were found');
}

/** Of all snapshots together: contents that are as they were, by path. */
async function wholeFiles(repository: Repository): Promise<string[]> {
  const whole = new Set<string>();
  for (const { tree } of await repository.snapshots.list()) {
    for (const [name, bytes] of await readFiles(repository, tree)) {
      if (Buffer.isBuffer(bytes) && FILES.get(name)?.equals(bytes)) whole.add(name);
    }
  }
  return [...whole].sort();
}

describe('repair index', () => {
  test('makes all indexes anew from the headers of packs, and gives up what tells of nothing', async () => {
    const { folder, repository } = await made();
    await forgetCopies(folder);
    const [first, ...others] = await filesIn(path.join(folder, 'index'));
    for (const id of others) await fs.rm(path.join(folder, 'index', id));
    await tamper(path.join(folder, 'index', first as string), flipByte(50));
    const planned = await repairIndex(repository, { dryRun: true });
    expect(planned).toMatchObject({ dryRun: true, unreadable: [first], missing: [] });
    expect(await filesIn(path.join(folder, 'index'))).toEqual([first]);
    const repair = await repairIndex(repository);
    expect({ ...repair, dryRun: true }).toEqual(planned);
    await expectClean(folder);
    expect(await checkRepository(repository, { readData: true })).toMatchObject({
      verdict: 'pass',
      notes: [],
    });
    expect(await wholeFiles(repository)).toEqual([...FILES.keys()].sort());
    expect(await repairIndex(repository)).toMatchObject({ found: [], unreadable: [], missing: [] });
  });

  test('brings an index back from its copy, and tells no more of a pack that is gone', async () => {
    const { folder, repository } = await made();
    const [index] = await filesIn(path.join(folder, 'index'));
    await tamper(path.join(folder, 'index', index as string), flipByte(50));
    await fs.rm(path.join(folder, packName(packOf(repository, 'data'))));
    const gone = packOf(repository, 'data');
    expect(await repairIndex(repository)).toMatchObject({ restored: [index], missing: [gone] });
    await repository.loadIndex();
    expect(repository.index.hasPack(gone)).toBe(false);
  });
});

describe('repair packs and snapshots', () => {
  test('save every whole blob, name what is lost, and leave a repository that restic finds clean', async () => {
    const { folder, repository, snapshot } = await made();
    const [cut, flipped] = [packOf(repository, 'data', 0), packOf(repository, 'data', 1)];
    await tamper(path.join(folder, packName(cut)), (bytes) => bytes.subarray(0, 150_000));
    await tamper(path.join(folder, packName(flipped)), flipByte(70_000));
    const blobs = repository.index.blobCount;
    const planned = await repairPacks(repository, [], { dryRun: true });
    expect(planned.lost.length).toBeGreaterThan(0);
    const repair = await repairPacks(repository);
    expect(repair.lost).toEqual(planned.lost);
    expect(repair.replaced.map(({ packId }) => packId).sort()).toEqual([cut, flipped].sort());
    const saved = repair.replaced.reduce((sum, pack) => sum + pack.saved, 0);
    expect(saved).toBeGreaterThan(0);
    await repository.loadIndex();
    expect(repository.index.blobCount).toBe(blobs - repair.lost.length);

    const would = await repairSnapshots(repository, { dryRun: true, forget: true });
    expect(would.repaired[0]?.cut.map(({ path: where }) => where)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^\/(a\/first|b\/second)$/)]),
    );
    const done = await repairSnapshots(repository);
    expect(done).toMatchObject({ repaired: [{ original: snapshot.id }], forgotten: [] });
    expect(done.repaired[0]?.cut).toEqual(would.repaired[0]?.cut);
    const fresh = await repository.snapshots.load(done.repaired[0]?.id as string);
    expect(fresh).toMatchObject({ tags: ['repaired'], others: { original: snapshot.id } });
    expect(fresh.time).toBe(snapshot.time);
    await repairSnapshots(repository, { forget: true });
    await expectClean(folder);
    await repository.loadIndex();
    const names = new Set(done.repaired[0]?.cut.map(({ path: where }) => where.slice(1)));
    expect(await wholeFiles(repository)).toEqual(
      [...FILES.keys()].filter((name) => !names.has(name)).sort(),
    );
  });

  test('leave a folder empty whose tree is lost, and give a snapshot up whose root is', async () => {
    const { folder, repository, snapshot } = await made();
    const tree = packOf(repository, 'tree');
    const root = repository.index.lookup('tree', Buffer.from(snapshot.tree, 'hex'));
    const other = [...repository.index.packContents(tree)].find(
      ({ offset }) => offset !== root?.offset,
    );
    await tamper(path.join(folder, packName(tree)), flipByte((other?.offset ?? 0) + 20));
    await repairPacks(repository, [tree.slice(0, 12)]);
    const repair = await repairSnapshots(repository, { forget: true });
    expect(repair.repaired).toHaveLength(1);
    expect(repair.forgotten).toEqual([snapshot.id]);
    expect(repair.repaired[0]?.cut[0]?.path).toMatch(/^\/(a|b)\/$/);
    await expectClean(folder);

    await repository.loadIndex();
    await fs.rm(path.join(folder, packName(packOf(repository, 'tree'))));
    for (const name of await filesIn(path.join(folder, 'data'))) {
      if (!(await repository.storage.stat(`data/${name}`))) continue;
      const id = path.basename(name);
      if (repository.index.packContents(id)[0]?.type === 'tree') {
        await fs.rm(path.join(folder, 'data', name));
      }
    }
    const all = await repairSnapshots(repository, { forget: true });
    expect(all.repaired).toEqual([]);
    expect(all.lost.length).toBeGreaterThan(0);
    await expectClean(folder);
  });

  test('bring back a snapshot of which only the copy is left, when asked to', async () => {
    const { folder, repository, snapshot } = await made();
    await fs.rm(path.join(folder, 'snapshots', snapshot.id));
    expect(await repairSnapshots(repository)).toMatchObject({ snapshots: 0, broughtBack: [] });
    const repair = await repairSnapshots(repository, { bringBack: true });
    expect(repair).toMatchObject({ snapshots: 1, broughtBack: [snapshot.id] });
    await expectClean(folder);
  });

  test('refuse beside a writer, and an unknown pack', async () => {
    const { repository } = await made();
    const lock = await repository.lock('shared');
    await expect(repairIndex(repository)).rejects.toMatchObject({ code: 'repository/locked' });
    await lock.release();
    await expect(repairPacks(repository, ['ffffffffffff'])).rejects.toMatchObject({
      code: 'repository/pack-not-found',
    });
  });
});

describe('killed between any two changes', () => {
  test('a repair loses nothing, and the next one finishes it', async () => {
    const { folder, repository } = await made();
    await forgetCopies(folder);
    const victim = path.join(folder, packName(packOf(repository, 'data')));
    await tamper(victim, flipByte(70_000));
    const [index] = await filesIn(path.join(folder, 'index'));
    await tamper(path.join(folder, 'index', index as string), flipByte(50));
    const files = new Map<string, Buffer>();
    for (const name of await filesIn(folder)) {
      files.set(name, await fs.readFile(path.join(folder, name)));
    }
    const finished = new MemoryStorage('finished', new Map(files));
    const changes = await repairUntil(finished, Number.POSITIVE_INFINITY);
    const expected = await filesOf(finished);
    expect(expected.length).toBeGreaterThan(1);
    expect(changes).toBeGreaterThan(8);
    // At once: each takes long only because locks wait.
    await inLanes(Array.from({ length: changes }).keys(), 8, async (step) => {
      const storage = new MemoryStorage('killed', new Map(files));
      await expect(repairUntil(storage, step)).rejects.toThrow('no space left');
      await repairUntil(storage, Number.POSITIVE_INFINITY);
      expect(await filesOf(storage)).toEqual(expected);
    });
  }, 180_000);
});

const NOT_LOCKS = /^(?!locks)/;

/**
 * All three repairs; every change after the given number of them is refused, as for a process that was killed. Resolves
 * to how many there were.
 */
async function repairUntil(storage: MemoryStorage, changes: number): Promise<number> {
  const dying = new FaultyStorage(storage, [
    {
      on: ['write', 'remove'],
      name: NOT_LOCKS,
      fault: { kind: 'full' },
      after: changes,
      times: Number.POSITIVE_INFINITY,
    },
  ]);
  const repository = await openRepository({ storage: dying, password: new Secret(QUICK) });
  try {
    await repository.locks.unlock(true);
    await repairIndex(repository);
    await repairPacks(repository);
    await repairSnapshots(repository, { forget: true });
    return dying.calls.filter((call) => /^(write|remove) (?!locks)/.test(call)).length;
  } finally {
    await repository.close();
  }
}

async function filesOf(storage: MemoryStorage): Promise<string[]> {
  const repository = await openRepository({ storage, password: new Secret(QUICK) });
  try {
    expect(await checkRepository(repository)).toMatchObject({ verdict: 'pass', problems: [] });
    expect(await repository.snapshots.list()).toHaveLength(1);
    return await wholeFiles(repository);
  } finally {
    await repository.close();
  }
}
