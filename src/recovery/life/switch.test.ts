/**
 * Every place where a switch or a removal may be cut, on plain folders: stores that production has and one that it lost,
 * on its file system and on another. What is cut is gone on with, or taken back.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { quietLogger, silent } from '#base';
import type { RecoveryState } from '../request.ts';
import type { Control } from '../site.ts';
import { CRASH_POINTS, type CrashPoint, type CrashPointName } from './crash-point.ts';
import { sweepPassingFolders } from './folder.ts';
import { goOnWithCut, isCut } from './go-on.ts';
import { listRecoveries, saveState } from './state.ts';
import { promoteRecovery, removeRecovery, type SwitchOptions, undoRecovery } from './switch.ts';

const CHANGES = { promote: promoteRecovery, undo: undoRecovery, remove: removeRecovery };
type Change = keyof typeof CHANGES;

const STORES = ['kept', 'other', 'lost'];
const OLD = { kept: 'kept before', other: 'other before' };
const NEW = { kept: 'kept then', other: 'other then', lost: 'lost then' };

let home: string;
let root: string;
let running: Set<string>;

const production = (...names: string[]) => path.join(home, 'production', ...names);

async function write(folder: string, what: string): Promise<void> {
  await fs.mkdir(folder, { recursive: true });
  await fs.writeFile(path.join(folder, 'content'), what);
}

/** What each folder in it holds: one that is left behind by something would be seen. */
async function contentsIn(folder: string): Promise<Record<string, string>> {
  const entries = (await fs.readdir(folder)).map(async (name) => {
    return [name, await fs.readFile(path.join(folder, name, 'content'), 'utf8')] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** Where what is made durable costs nothing. */
async function makeProduction(): Promise<void> {
  home = await fs.mkdtemp('/dev/shm/holdfast-switch-');
  root = path.join(home, 'recoveries');
  running = new Set(STORES);
  for (const [store, what] of Object.entries(OLD)) await write(production(store), what);
}

async function makeRecovery(): Promise<RecoveryState> {
  const folder = path.join(root, 'rcopy');
  const entries = STORES.map(async (store) => {
    const directory = path.join(folder, store, 'data');
    await write(directory, `${store} then`);
    return [store, { directory, url: '', home: production(store) }] as const;
  });
  const state = {
    ...{ id: 'rcopy', environment: 'site', stage: 'production', status: 'ready', inPlace: false },
    ...{ createdAtMs: 0, instantMs: 0, title: '', folder, bytesRead: 0 },
    ...{ stores: Object.fromEntries(await Promise.all(entries)) },
    ...{ services: [], checks: [], phases: [] },
  } as unknown as RecoveryState;
  await saveState(state);
  return state;
}

/** As processes that look at their folder when they start. */
function optionsFor(state: RecoveryState, crashPoint: CrashPoint = () => {}): SwitchOptions {
  const controlOf = (store: string): Control => ({
    stop: async () => void running.delete(store),
    start: async () => {
      await fs.access(production(store));
      running.add(store);
    },
  });
  const stores = STORES.map((store) => [store, { needsControl: true, control: controlOf(store) }]);
  return {
    ...{ state, sources: {}, log: quietLogger, progress: silent, crashPoint },
    signal: new AbortController().signal,
    site: {
      services: [],
      runtime: { stopAll: async () => {} } as unknown as SwitchOptions['site']['runtime'],
      runChecks: async () => [],
      production: { services: [], stores: Object.fromEntries(stores) },
    },
  };
}

/** Ends there, and leaves what a kill would leave. False where it doesn't pass there. */
async function cutAt(point: CrashPointName, change: Change, state: RecoveryState) {
  let left: (() => void) | undefined;
  const crashPoint: CrashPoint = (name) => {
    if (name !== point) return;
    const file = path.join(state.folder, 'recovery.json');
    const noted = name === 'remove/unnoted' ? undefined : readFileSync(file);
    left = () => noted && writeFileSync(file, noted);
    throw new Error('killed');
  };
  await CHANGES[change](optionsFor(state, crashPoint)).catch((error: Error) => {
    if (error.message !== 'killed') throw error;
  });
  left?.();
  return left !== undefined;
}

const found = async () => (await listRecoveries(root))[0] as RecoveryState;

describe.each(['same', 'other'])('on the %s file system', (where) => {
  /** Over two file systems, what moves is copied: the steps of that. */
  const pointsOf = (change: 'promote' | 'undo') =>
    where === 'same' ? CRASH_POINTS[change] : CRASH_POINTS.move;

  beforeEach(async () => {
    await makeProduction();
    if (where === 'other') root = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-switch-'));
  });
  afterEach(async () => {
    for (const folder of [home, root]) await fs.rm(folder, { recursive: true, force: true });
  });

  async function expectPromoted(): Promise<void> {
    const kept = { 'kept.replaced-rcopy': OLD.kept, 'other.replaced-rcopy': OLD.other };
    expect(await contentsIn(production())).toEqual({ ...NEW, ...kept });
    expect(await found()).toMatchObject({ status: 'promoted' });
    expect([...running].sort()).toEqual([...STORES].sort());
  }

  async function expectAsBefore(): Promise<void> {
    expect(await contentsIn(production())).toEqual(OLD);
    expect(await found()).toMatchObject({ status: 'undone' });
    // Nothing can be started where nothing lies.
    expect([...running].sort()).toEqual(['kept', 'other']);
    for (const [store, what] of Object.entries(NEW)) {
      expect(await contentsIn(path.join(root, 'rcopy', store))).toEqual({ data: what });
    }
  }

  test.each(pointsOf('promote'))('a promotion cut at %s', async (point) => {
    expect(await cutAt(point, 'promote', await makeRecovery())).toBe(true);
    expect(await isCut(await found())).toBe(true);
    await expect(removeRecovery(optionsFor(await found()))).rejects.toThrow('is promoting');
    expect(await goOnWithCut(optionsFor(await found()))).toBe(true);
    await expectPromoted();
    await undoRecovery(optionsFor(await found()));
    await expectAsBefore();
  });

  test.each(pointsOf('promote'))('taken back when cut at %s', async (point) => {
    await cutAt(point, 'promote', await makeRecovery());
    await undoRecovery(optionsFor(await found()));
    await expectAsBefore();
  });

  test.each(pointsOf('undo'))('an undo cut at %s', async (point) => {
    await promoteRecovery(optionsFor(await makeRecovery()));
    expect(await cutAt(point, 'undo', await found())).toBe(true);
    expect(await isCut(await found())).toBe(true);
    expect(await goOnWithCut(optionsFor(await found()))).toBe(true);
    await expectAsBefore();
    await removeRecovery(optionsFor(await found()));
    expect(await contentsIn(production())).toEqual(OLD);
  });
});

describe('a removal', () => {
  beforeEach(async () => {
    await makeProduction();
    await promoteRecovery(optionsFor(await makeRecovery()));
  });
  afterEach(() => fs.rm(home, { recursive: true, force: true }));

  test.each(CRASH_POINTS.remove)('cut at %s goes on, and gives nothing back', async (point) => {
    expect(await cutAt(point, 'remove', await found())).toBe(true);
    if (point === 'remove/unnoted') expect(await found()).toBeUndefined();
    else {
      await expect(undoRecovery(optionsFor(await found()))).rejects.toThrow('is removing');
      expect(await goOnWithCut(optionsFor(await found()))).toBe(true);
    }
    expect(await contentsIn(production())).toEqual(NEW);
    await sweepPassingFolders(root);
    expect(await fs.readdir(root)).toEqual([]);
  });
});

test('what failed by itself waits for a person, who sees why', async () => {
  await makeProduction();
  const options = optionsFor(await makeRecovery());
  const kept = options.site.production.stores.kept?.control as Control;
  const { stop } = kept;
  kept.stop = async () => {
    throw new Error('it would not stop');
  };
  await expect(promoteRecovery(options)).rejects.toThrow('it would not stop');
  expect(await found()).toMatchObject({ status: 'promoting', error: 'it would not stop' });
  expect(await goOnWithCut(optionsFor(await found()))).toBe(false);
  kept.stop = stop;
  expect((await promoteRecovery(options)).error).toBeUndefined();
  await fs.rm(home, { recursive: true, force: true });
});
