import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Clock, HoldfastError, randomBytes, Secret, systemClock } from '#base';
import { checkRepository } from '../check/check.ts';
import { openRepository } from '../open.ts';
import type { PackedBlob } from '../pack/header.ts';
import type { Repository } from '../repository.ts';
import {
  filesIn,
  flipByte,
  newFolder,
  open,
  QUICK,
  quickGolden,
  restic,
  tamper,
} from '../restic.fixture.ts';
import { LocalStorage } from '../storage/local/local-storage.ts';
import { type PruneCrashPoint, pruneInPhases } from './phases.ts';
import { isBitSet, readMarks } from './prune-mark.ts';

const HOUR_MS = 3_600_000;
const fixture = path.join(import.meta.dirname, 'phases.fixture.ts');

const STILL_LOCKED = {
  code: 'repository/still-locked',
  kind: 'refused',
  message: 'locked until tomorrow',
  guidance: '',
  retryable: false,
} as const;

/** As a bucket with Object Lock does it. */
class LockedPacks extends LocalStorage {
  override async remove(name: string): Promise<void> {
    if (name.startsWith('data/')) throw new HoldfastError(STILL_LOCKED);
    await super.remove(name);
  }
}

/** Lets another client work right before the next look at the indexes. */
class Interrupted extends LocalStorage {
  before: (() => Promise<unknown>) | undefined;

  override async *listNames(prefix: string): AsyncIterable<string> {
    const { before } = this;
    if (prefix === 'index/' && before) {
      this.before = undefined;
      await before();
    }
    yield* super.listNames(prefix);
  }
}

/** This clock, so many ms later. */
function later(ms: number): Clock {
  return {
    nowMs: () => systemClock.nowMs() + ms,
    monotonicMs: () => systemClock.monotonicMs(),
  };
}

/** A repository of restic's in which the files `dropped` lie in packs that are partly used by what is left. */
async function withUnused() {
  const folder = await quickGolden('restic-0.14-max');
  const content = path.join(await newFolder(), 'content');
  await fs.mkdir(content);
  for (let i = 0; i < 30; i += 1)
    await fs.writeFile(path.join(content, `${i}`), randomBytes(9_000));
  await restic(folder, QUICK, ['backup', content]);
  const aside = path.join(await newFolder(), 'aside');
  await fs.cp(content, aside, { recursive: true });
  for (let i = 0; i < 25; i += 1) await fs.rm(path.join(content, `${i}`));
  await restic(folder, QUICK, ['backup', content]);
  const repository = await open(folder, QUICK);
  const [, before] = await repository.snapshots.list();
  await repository.snapshots.remove(before?.id ?? '');
  return { folder, content, aside, repository };
}

async function expectClean(folder: string): Promise<void> {
  expect(await restic(folder, QUICK, ['check', '--read-data'])).toContain('no errors');
}

async function expectSameFiles(folder: string, content: string): Promise<void> {
  const target = await newFolder();
  await restic(folder, QUICK, ['restore', 'latest', '--target', target]);
  for (const name of await fs.readdir(content)) {
    const restored = await fs.readFile(path.join(target, content, name));
    expect(restored.equals(await fs.readFile(path.join(content, name)))).toBe(true);
  }
}

async function unusedOf(repository: Repository): Promise<number> {
  const { marked } = await pruneInPhases(repository, { dryRun: true, maxUnused: 0 });
  return marked?.unusedBytes ?? 0;
}

/** Nothing is damaged, and nothing is left that no index knows. */
async function expectWhole(repository: Repository): Promise<void> {
  const { verdict, notes } = await checkRepository(repository, { readData: true });
  expect(verdict).toBe('pass');
  expect(notes.filter((note) => note.includes('in no index'))).toEqual([]);
}

describe('pruning in two phases', () => {
  test('marks without changing an index, waits for the grace, and then gives the space back', async () => {
    const { folder, content, repository } = await withUnused();
    expect(await unusedOf(repository)).toBeGreaterThan(200_000);
    const before = await filesIn(folder);
    const marking = await pruneInPhases(repository);
    const { marked, nextSweepMs = 0 } = marking;
    expect(marked).toMatchObject({ unindexed: 0 });
    expect(nextSweepMs - (marked?.atMs ?? 0)).toBe(23 * HOUR_MS);
    const shared = (name: string) => !name.startsWith('holdfast/');
    expect((await filesIn(folder)).filter(shared)).toEqual(before.filter(shared));

    const early = await pruneInPhases(repository, { clock: later(22 * HOUR_MS) });
    expect(early).toEqual({ dryRun: false, nextSweepMs });
    const { swept } = await pruneInPhases(repository, { clock: later(24 * HOUR_MS) });
    expect(swept?.packsRemoved).toBeGreaterThan(0);
    expect(await unusedOf(repository)).toBe(0);
    await expectClean(folder);
    await expectSameFiles(folder, content);
    await expectWhole(repository);
  });

  test('keeps what a restic backup between the phases needs again', async () => {
    const { folder, content, aside, repository } = await withUnused();
    await pruneInPhases(repository);
    const packs = (await filesIn(folder)).filter((name) => name.startsWith('data/')).length;
    // What nobody needed at the mark is needed again, and restic stores none of it anew.
    await fs.cp(aside, content, { recursive: true });
    await restic(folder, QUICK, ['backup', content]);
    expect((await filesIn(folder)).filter((name) => name.startsWith('data/')).length).toBeLessThan(
      packs + 3,
    );
    const { swept } = await pruneInPhases(repository, { clock: later(24 * HOUR_MS) });
    expect(swept).toMatchObject({ newSnapshots: 1 });
    await expectClean(folder);
    await expectSameFiles(folder, content);
  });

  test('leaves an index alone that a backup writes while a sweep is being prepared', async () => {
    const { folder, content } = await withUnused();
    const storage = new Interrupted(folder);
    const repository = await openRepository({ storage, password: new Secret(QUICK), cache: false });
    onTestFinished(() => repository.close());
    await pruneInPhases(repository);
    const { swept } = await pruneInPhases(repository, {
      clock: later(24 * HOUR_MS),
      crashPoint(name) {
        if (name !== 'prune/packs-copied') return;
        storage.before = async () => {
          await fs.writeFile(path.join(content, 'new'), randomBytes(9_000));
          await restic(folder, QUICK, ['backup', content]);
        };
      },
    });
    expect(swept?.packsRemoved).toBeGreaterThan(0);
    expect(storage.before).toBeUndefined();
    await expectClean(folder);
    await expectSameFiles(folder, content);
  });

  test('waits for a restic backup that spans both phases, and says so when it takes a week', async () => {
    const { folder, content, repository } = await withUnused();
    const env = { ...process.env, RESTIC_PASSWORD: QUICK, RESTIC_REPOSITORY: folder };
    const backup = spawn('restic', ['--no-cache', 'backup', '--stdin'], { env, stdio: 'pipe' });
    onTestFinished(() => void backup.kill('SIGKILL'));
    await fs.mkdir(path.join(folder, 'locks'), { recursive: true });
    backup.stdin.write(randomBytes(3_000_000));
    await expect
      .poll(() => fs.readdir(path.join(folder, 'locks')), { timeout: 30_000 })
      .not.toEqual([]);
    const { marked } = await pruneInPhases(repository);
    expect(marked).toBeDefined();
    const blocked = await pruneInPhases(repository, { clock: later(24 * HOUR_MS), lockWaitMs: 0 });
    expect(blocked.blocked?.by).toContain(`PID ${backup.pid}`);
    expect(blocked.finding).toBeUndefined();
    const week = await pruneInPhases(repository, { clock: later(9 * 24 * HOUR_MS), lockWaitMs: 0 });
    expect(week.finding).toContain('never free');
    await expectClean(await copyWithoutLocks(folder));
    backup.stdin.end(randomBytes(100_000));
    await once(backup, 'exit');
    const { swept } = await pruneInPhases(repository, { clock: later(24 * HOUR_MS) });
    expect(swept).toMatchObject({ newSnapshots: 1 });
    await expectClean(folder);
    const latest = await restic(folder, QUICK, ['snapshots', '--json']);
    expect(JSON.parse(latest)).toHaveLength(5);
    expect(await fs.readdir(content)).toHaveLength(5);
  });

  const places: PruneCrashPoint[] = [
    'prune/marked',
    'prune/mark-taken',
    'prune/packs-copied',
    'prune/indexes-written',
    'prune/indexes-removed',
    'prune/pack-removed',
    'prune/packs-removed',
  ];
  test.each(places)('killed at %s loses nothing, and the next one goes on', async (place) => {
    const folder = await template(place === 'prune/marked' ? 'unmarked' : 'marked');
    const killed = spawnSync(process.execPath, [fixture, folder, QUICK, place]);
    expect(killed.signal).toBe('SIGKILL');
    const repository = await open(folder, QUICK);
    await repository.locks.unlock();
    await expectClean(folder);
    const options = { graceMs: 0, maxUnused: 0 };
    await pruneInPhases(repository, options);
    await pruneInPhases(repository, options);
    await expectWhole(repository);
    expect(await unusedOf(repository)).toBe(0);
    expect(await repository.sealed.list('prune/')).toEqual([]);
  });

  test('leaves a damaged pack for whoever can mend it, and what the storage keeps locked', async () => {
    const { folder, repository } = await withUnused();
    await pruneInPhases(repository, { maxUnused: 0 });
    const behindLock = await openRepository({
      storage: new LockedPacks(folder),
      password: new Secret(QUICK),
      cache: false,
    });
    onTestFinished(() => behindLock.close());
    const { swept, marked } = await pruneInPhases(behindLock, {
      clock: later(24 * HOUR_MS),
      maxUnused: 0,
    });
    expect(swept?.stillLocked).toBeGreaterThan(0);
    expect(marked?.unindexed).toBe(swept?.stillLocked);
    await expectClean(folder);
  });

  test('spares a pack whose bytes were damaged meanwhile, and moves the others', async () => {
    const { folder, repository } = await withUnused();
    await pruneInPhases(repository, { maxUnused: 0 });
    const [mark] = await readMarks(repository);
    const [{ id, unused } = { id: '', unused: new Uint8Array() }] = mark?.repack ?? [];
    const needed = repository.index.packContents(id).findIndex((_, at) => !isBitSet(unused, at));
    const { offset } = repository.index.packContents(id)[needed] as PackedBlob;
    const name = `data/${id.slice(0, 2)}/${id}`;
    await tamper(path.join(folder, name), flipByte(offset + 20));
    const options = { clock: later(24 * HOUR_MS), maxUnused: 0 };
    const { swept } = await pruneInPhases(repository, options);
    expect(swept?.packsSpared).toBe(1);
    expect(await filesIn(folder)).toContain(name);
    expect(repository.index.hasPack(id)).toBe(true);
    await expect(restic(folder, QUICK, ['check'])).resolves.toContain('no errors');
  });
});

/** Made once: most of the time of these tests is restic's. */
const made = new Map<string, Promise<string>>();

async function template(kind: 'marked' | 'unmarked'): Promise<string> {
  const ready = made.get(kind) ?? makeTemplate(kind);
  made.set(kind, ready);
  return copyOf(await ready);
}

async function makeTemplate(kind: 'marked' | 'unmarked'): Promise<string> {
  if (kind === 'unmarked') return (await withUnused()).folder;
  const folder = await template('unmarked');
  await pruneInPhases(await open(folder, QUICK), { maxUnused: 0 });
  return folder;
}

async function copyOf(folder: string): Promise<string> {
  const copy = path.join(await newFolder(), 'repository');
  await fs.cp(folder, copy, { recursive: true });
  return copy;
}

async function copyWithoutLocks(folder: string): Promise<string> {
  const copy = await copyOf(folder);
  await fs.rm(path.join(copy, 'locks'), { recursive: true, force: true });
  return copy;
}
