import fs from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { randomBytes, Secret } from '#base';
import { checkRepository } from '../check/check.ts';
import { packName } from '../names.ts';
import { openRepository } from '../open.ts';
import type { Repository } from '../repository.ts';
import { filesIn, newFolder, open, QUICK, quickGolden, restic } from '../restic.fixture.ts';
import { FaultyStorage } from '../storage/faulty.ts';
import { MemoryStorage } from '../storage/memory.ts';
import { prune } from './prune.ts';

/** Two snapshots, of which the second dropped most files of the first: packs that are partly, and wholly, unused. */
async function partlyUnused() {
  const folder = await quickGolden('restic-0.14-max');
  const content = path.join(await newFolder(), 'content');
  await fs.mkdir(content);
  for (let i = 0; i < 40; i += 1)
    await fs.writeFile(path.join(content, `${i}`), randomBytes(9_000));
  await restic(folder, QUICK, ['backup', content]);
  for (let i = 0; i < 37; i += 1) await fs.rm(path.join(content, `${i}`));
  await restic(folder, QUICK, ['backup', content]);
  const repository = await open(folder, QUICK);
  const [latest, before] = await repository.snapshots.list();
  if (!latest || !before) throw new Error('two snapshots were made');
  return { folder, content, repository, latest, before };
}

/** Nothing is damaged, and nothing is left that no index knows. */
async function expectWhole(repository: Repository): Promise<void> {
  const { verdict, notes } = await checkRepository(repository, { readData: true });
  expect(verdict).toBe('pass');
  expect(notes.filter((note) => note.includes('in no index'))).toEqual([]);
}

describe('prune', () => {
  test('has nothing to do where all is used', async () => {
    const folder = await quickGolden('restic-0.14-off');
    const repository = await open(folder, QUICK);
    const before = await filesIn(folder);
    const result = await prune(repository);
    expect(result).toMatchObject({ unusedBytes: 0, packsRemoved: 0, packsWritten: 0 });
    expect(await filesIn(folder)).toEqual(before);
  });

  test('leaves a repository that restic finds clean and restores from', async () => {
    const { folder, content, repository, latest, before } = await partlyUnused();
    await repository.snapshots.remove(before.id);
    await repository.storage.write(packName('ab'.repeat(32)), [Buffer.from('left by a writer')]);
    const files = await filesIn(folder);
    const dry = await prune(repository, { maxUnused: 0, dryRun: true });
    expect(await filesIn(folder)).toEqual(files);
    expect(dry.unusedBytes).toBeGreaterThan(300_000);
    const done = await prune(repository, { maxUnused: 0 });
    expect(done).toEqual({ ...dry, dryRun: false, packsWritten: done.packsWritten });
    expect(done.packsWritten).toBeGreaterThan(0);

    expect(await restic(folder, QUICK, ['check', '--read-data'])).toContain('no errors');
    const target = await newFolder();
    await restic(folder, QUICK, ['restore', latest.id, '--target', target]);
    for (const name of ['37', '38', '39']) {
      const restored = await fs.readFile(path.join(target, content, name));
      expect(restored.equals(await fs.readFile(path.join(content, name)))).toBe(true);
    }
    await expectWhole(repository);
    expect(await prune(repository, { maxUnused: 0 })).toMatchObject({
      unusedBytes: 0,
      packsRemoved: 0,
    });
  });

  test('lets a small part be unused rather than write packs anew', async () => {
    const { repository, before } = await partlyUnused();
    await repository.snapshots.remove(before.id);
    expect(await prune(repository, { maxUnused: 1_000, dryRun: true })).toMatchObject({
      packsWritten: 0,
      repackedBytes: 0,
    });
  });

  test('refuses, and changes nothing, where a needed blob or snapshot is missing', async () => {
    const folder = await quickGolden('restic-0.14-max');
    const repository = await open(folder, QUICK);
    await repository.loadIndex();
    const victim = [...repository.index.packs()].find(({ blobs }) => blobs[0]?.type === 'data');
    await fs.rm(path.join(folder, packName(victim?.id ?? '')));
    const before = await filesIn(folder);
    await expect(prune(repository)).rejects.toMatchObject({ code: 'repository/used-blob-missing' });
    const [index] = await filesIn(path.join(folder, 'index'));
    await fs.rm(path.join(folder, 'index', index ?? ''));
    await expect(prune(repository)).rejects.toMatchObject({ code: 'repository/used-blob-missing' });
    expect(await filesIn(folder)).toEqual(before.filter((name) => name !== `index/${index}`));
  });

  test('waits for no writer: it is refused beside one', async () => {
    const repository = await open(await quickGolden('restic-0.14-max'), QUICK);
    const lock = await repository.lock('shared');
    await expect(prune(repository)).rejects.toMatchObject({ code: 'repository/locked' });
    await lock.release();
  });

  test('interrupted at any step loses nothing, and the next one finishes it', async () => {
    const { folder, repository, before } = await partlyUnused();
    await repository.snapshots.remove(before.id);
    const files = new Map<string, Buffer>();
    for (const name of await filesIn(folder)) {
      files.set(name, await fs.readFile(path.join(folder, name)));
    }
    let interrupted = 0;
    for (let step = 0; ; step += 1) {
      const storage = new MemoryStorage('crash', new Map(files));
      const outcome = await pruneUntil(storage, step);
      const survivor = await openRepository({ storage, password: new Secret(QUICK) });
      await survivor.locks.unlock(true);
      expect(await checkRepository(survivor, { readData: true })).toMatchObject({
        verdict: 'pass',
      });
      if (outcome === 'finished') break;
      interrupted += 1;
      await prune(survivor, { maxUnused: 0 });
      await expectWhole(survivor);
    }
    expect(interrupted).toBeGreaterThan(3);
  });
});

/** Every change after the given number of them is refused, as it is for a process that was killed. */
async function pruneUntil(storage: MemoryStorage, changes: number): Promise<string> {
  const faulty = new FaultyStorage(storage);
  const repository = await openRepository({
    storage: faulty,
    password: new Secret(QUICK),
  });
  faulty.addRule({
    on: ['write', 'remove'],
    name: /^(data|index)/,
    fault: { kind: 'full' },
    after: changes,
    times: Number.POSITIVE_INFINITY,
  });
  return prune(repository, { maxUnused: 0 }).then(
    () => 'finished',
    () => 'interrupted',
  );
}
