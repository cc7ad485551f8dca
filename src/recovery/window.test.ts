/** Windows over forks of a journal, on a real repository in memory, and the base that an instant is brought back from. */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Secret, timedId } from '#base';
import {
  batchFacts,
  type CaptureRecord,
  createRepository,
  openJournalReader,
  openStorage,
  type Repository,
  type StoreAddress,
  writeCapture,
  writeLine,
  writeMark,
  writePiece,
  writeWatermark,
} from '#repository';
import { findSource, type Source, type Target } from '#sources';
import { chooseRecovery } from './choose/choose.ts';
import { errors as recoveryErrors } from './errors.ts';
import { recoveryWindows } from './window.ts';

/** Instants of these tests are small numbers after this one. */
const T0_MS = 1_780_000_000_000;
/** The store's clock is ahead of ours. */
const OFFSET_MS = 7;

let repository: Repository;
let stores = 0;

beforeAll(async () => {
  const storage = await openStorage('memory:windows');
  const scrypt = { N: 2, r: 1, p: 1 };
  repository = await createRepository({ storage, password: new Secret('windows'), scrypt });
});
afterAll(() => repository.close());

function newStore() {
  stores += 1;
  const address: StoreAddress = { environment: 'shop', stage: 'test', store: `orders-${stores}` };
  return {
    address,
    piece: (line: number, from: number, to: number, atMs: number) =>
      writePiece(
        repository,
        address,
        { line, from: BigInt(from), latestMs: T0_MS + atMs + OFFSET_MS },
        Buffer.alloc(to - from, line),
      ),
    /** As a batch that replaced pieces which ended at these places. */
    batch: (line: number, from: number, to: number, known: [end: number, atMs: number][]) => {
      const standings = known.map(([end, atMs]) => ({
        offset: BigInt(end),
        atMs: T0_MS + atMs + OFFSET_MS,
      }));
      const record: CaptureRecord = {
        ...baseAt(address, line, to, T0_MS),
        ...{ id: timedId(T0_MS), kind: 'journal-batch' },
        start: { line, offset: BigInt(from) },
        facts: batchFacts([], standings),
      };
      return writeCapture(repository, record, Math.max(...standings.map(({ atMs }) => atMs)));
    },
    base: async (line: number, end: number, atMs: number, facts = {}) => {
      const record = { ...baseAt(address, line, end, T0_MS + atMs), facts };
      await writeCapture(repository, record);
      return record.id;
    },
    line: (line: number, parent: number, forkOffset: number) =>
      writeLine(repository, address, { line, parent, forkOffset: BigInt(forkOffset), raw: '' }),
    watermark: (line: number, offset: number, atMs: number) =>
      writeWatermark(repository, address, {
        atMs: T0_MS + atMs,
        position: { line, offset: BigInt(offset) },
      }),
    windows: async () => {
      const found = await recoveryWindows(
        repository,
        address,
        openJournalReader(repository, address),
      );
      return found.map(({ fromMs, toMs }) => [fromMs - T0_MS, toMs - T0_MS]);
    },
    /** Id of the capture that a recovery begins from. */
    chosen: async (atMs: number | 'latest', line?: number) =>
      (await choose(address, atMs, line)).capture,
    mark: (sha: string, atMs: number, position?: { line: number; offset: number }) =>
      writeMark(repository, {
        ...{ id: timedId(T0_MS + atMs), environment: address.environment, stage: address.stage },
        ...{ kind: 'deploy', sha, atMs: T0_MS + atMs },
        positions: position
          ? { [address.store]: { line: position.line, offset: BigInt(position.offset) } }
          : {},
      }),
    selection: (atMs: number, resolved: { line: number; offset: number }, line?: number) =>
      choose(address, atMs, line, resolved),
  };
}

async function choose(
  address: StoreAddress,
  atMs: number | 'latest',
  line?: number,
  resolved?: { line: number; offset: number },
) {
  const { stores: chosen } = await chooseRecovery({
    ...{ repository, environment: address.environment, stage: address.stage },
    stores: [{ name: address.store, source: endless(resolved) }],
    when: atMs === 'latest' ? { kind: 'latest' } : { kind: 'time', atMs: T0_MS + atMs },
    ...{ skewLimitMs: 10, nowMs: T0_MS + 1_000_000 },
    ...(line === undefined ? {} : { line }),
  });
  const [only] = chosen;
  if (!only) throw new Error('nothing was chosen');
  return only.selection;
}

function baseAt(address: StoreAddress, line: number, end: number, endedAtMs: number) {
  const record: CaptureRecord = {
    ...{ id: timedId(endedAtMs - 10), address, source: 'postgres', kind: 'base' },
    ...{ snapshot: 'ab'.repeat(32), startedAtMs: endedAtMs - 10, endedAtMs },
    start: { line, offset: BigInt(end - 10) },
    end: { line, offset: BigInt(end) },
    clock: { offsetMs: OFFSET_MS, uncertaintyMs: 1 },
    ...{ chunkSizeBytes: 8192, facts: {}, problems: [], problemCount: 0 },
    statistics: { files: 0, directories: 0, bytes: 0, newBytes: 0, storedBytes: 0 },
  };
  return record;
}

/** Which base is chosen doesn't depend on what the journal's bytes say: they needn't be WAL. */
function endless(resolved?: { line: number; offset: number }): Source {
  const at = resolved && { line: resolved.line, offset: BigInt(resolved.offset) };
  return {
    ...(findSource('postgres') as Source),
    resolve: async (base) => ({
      ...{ position: at ?? base.end, isEnd: at === undefined },
      ...{ leftBehindCommits: 0, leftBehindIsMore: false },
    }),
    // Its captures are never brought up.
    hostLacks: async () => [],
  };
}

/** Line 1 up to 400 (instant 400), left at 250: line 2 begins in its segment at 200 and is heard of from 500 on. */
async function forked() {
  const store = newStore();
  const base = await store.base(1, 100, 100);
  await store.piece(1, 90, 200, 200);
  await store.piece(1, 200, 300, 300);
  await store.piece(1, 300, 400, 400);
  await store.line(2, 1, 250);
  await store.piece(2, 200, 250, 0 - T0_MS - OFFSET_MS);
  await store.piece(2, 250, 300, 500);
  await store.piece(2, 300, 500, 700);
  return { ...store, first: base };
}

test('without a fork a window lasts as long as the journal is unbroken', async () => {
  const store = newStore();
  await store.base(1, 100, 100);
  expect(await store.windows()).toEqual([[100, 100]]);
  await store.piece(1, 90, 200, 200);
  await store.piece(1, 200, 300, 300);
  await store.piece(1, 350, 400, 400);
  expect(await store.windows()).toEqual([[100, 300]]);
  await store.watermark(1, 300, 320);
  await store.base(1, 360, 380);
  expect(await store.windows()).toEqual([
    [100, 320],
    [380, 400],
  ]);
});

test('a journal that leads on to a later base has come to its instant', async () => {
  const store = newStore();
  await store.base(1, 100, 100);
  await store.piece(1, 90, 400, 200);
  await store.base(1, 380, 500);
  expect(await store.windows()).toEqual([[100, 500]]);
  await store.base(1, 401, 600);
  expect(await store.windows()).toEqual([
    [100, 500],
    [600, 600],
  ]);
});

test('after a fork it goes on on the newer line, without what lies between', async () => {
  const store = await forked();
  expect(await store.windows()).toEqual([
    [100, 200],
    [500, 700],
  ]);
  await store.watermark(1, 240, 260);
  await store.watermark(1, 400, 450);
  await store.watermark(2, 500, 900);
  expect(await store.windows()).toEqual([
    [100, 260],
    [500, 900],
  ]);
  await store.base(2, 550, 650);
  await store.piece(2, 500, 600, 1_000);
  expect(await store.windows()).toEqual([
    [100, 260],
    [500, 1_000],
  ]);
});

test('it ends where the journal breaks before the fork', async () => {
  const store = newStore();
  await store.base(1, 100, 100);
  await store.piece(1, 100, 200, 200);
  await store.line(2, 1, 250);
  await store.piece(2, 200, 300, 500);
  expect(await store.windows()).toEqual([[100, 200]]);
});

test('a base that the newer line does not come from keeps its own line', async () => {
  const store = await forked();
  const left = await store.base(1, 350, 360);
  expect(await store.windows()).toEqual([
    [100, 200],
    [360, 400],
    [500, 700],
  ]);
  expect(await store.chosen(390)).toBe(left);
  expect(await store.chosen(600)).toBe(store.first);
  expect(await store.chosen('latest')).toBe(store.first);
  expect(await store.chosen('latest', 1)).toBe(left);
  const own = await store.base(2, 450, 650);
  expect(await store.chosen(640)).toBe(store.first);
  expect(await store.chosen(660)).toBe(own);
  expect(await store.chosen('latest', 1)).toBe(left);
});

test('several forks are followed one after the other', async () => {
  const store = await forked();
  await store.line(3, 2, 300);
  await store.piece(3, 300, 600, 1_200);
  expect(await store.windows()).toEqual([
    [100, 200],
    [500, 500],
    [1_200, 1_200],
  ]);
  await store.piece(3, 600, 700, 1_300);
  expect(await store.windows()).toEqual([
    [100, 200],
    [500, 500],
    [1_200, 1_300],
  ]);
  expect(await store.chosen(1_250)).toBe(store.first);
});

test('before an older fork it lasts as long once the pieces have entered batches', async () => {
  const store = newStore();
  await store.base(1, 100, 100);
  await store.line(2, 1, 250);
  await store.batch(1, 90, 400, [
    [150, 150],
    [240, 260],
    [300, 300],
    [400, 400],
  ]);
  await store.batch(2, 200, 500, [
    [255, 500],
    [500, 700],
  ]);
  expect(await store.windows()).toEqual([
    [100, 260],
    [500, 700],
  ]);
});

test('a base of a standby that lagged makes no window before the journal has come so far', async () => {
  const store = newStore();
  await store.base(1, 100, 100, { asOfMs: T0_MS + 40 });
  expect(await store.windows()).toEqual([]);
  await store.piece(1, 90, 200, 130);
  expect(await store.windows()).toEqual([[100, 130]]);
});

test('an instant between a fork and what is known of the newer line is told to be the fork', async () => {
  const store = await forked();
  const fork = { line: 2, offset: 250 };
  const between = await store.selection(350, fork);
  expect(between.notes).toEqual([
    expect.stringMatching(/timeline 2 had not begun.*timeline 1 was written until.*--timeline 1/),
  ]);
  // What comes back is older than what was asked for, and must be accepted.
  expect(between).toMatchObject({ atMs: T0_MS + 200, skewMs: -150, overLimit: true });
  const after = await store.selection(600, { line: 2, offset: 300 });
  expect(after.notes).toBeUndefined();
  const before = await store.selection(150, { line: 1, offset: 120 });
  expect(before.notes).toBeUndefined();
  const named = await store.selection(350, { line: 1, offset: 290 }, 1);
  expect(named).toMatchObject({ skewMs: 0, overLimit: false });
  expect(named.notes).toBeUndefined();
  // Both lines were written at once.
  await store.piece(1, 400, 450, 620);
  const both = await store.selection(600, { line: 2, offset: 300 });
  expect(both.notes).toEqual([expect.stringMatching(/^timeline 2 is followed; timeline 1/)]);
  expect(both.skewMs).toBe(0);
});

test('a line that another recovery left aside is told of too', async () => {
  const store = await forked();
  await store.line(3, 1, 220);
  await store.piece(3, 220, 300, 900);
  const at = await store.selection(650, { line: 3, offset: 220 });
  expect(at.notes?.join()).toMatch(/--timeline 2/);
  expect(at.notes?.length).toBe(2);
  expect((await store.selection(950, { line: 3, offset: 300 })).notes).toBeUndefined();
});

test('captures are listed once and read once, however many questions there are', async () => {
  const store = await forked();
  await store.base(1, 350, 360);
  await store.base(2, 450, 650);
  const lists = vi.spyOn(repository.sealed, 'list');
  const reads = vi.spyOn(repository.sealed, 'read');
  try {
    await store.chosen('latest');
    const listed = lists.mock.calls.filter(([name]) => name?.startsWith('captures/'));
    expect(listed.length).toBe(1);
    const read = reads.mock.calls
      .map(([name]) => name)
      .filter((name) => name.includes('captures/'));
    expect(read.length).toBeGreaterThan(0);
    expect(new Set(read).size).toBe(read.length);
  } finally {
    lists.mockRestore();
    reads.mockRestore();
  }
});

test('where a mark knows the position, it counts, and its time where that cannot be had', async () => {
  const store = await forked();
  const asked: Target[] = [];
  let isHeld = true;
  const before = async (sha: string, line?: number) => {
    const source: Source = {
      ...endless(),
      async resolve(_base, _journal, target) {
        asked.push(target);
        const isPosition = target.kind === 'position';
        if (isPosition && !isHeld) throw recoveryErrors.noSuchMark(['what was held']);
        const position = isPosition ? target.position : { line: 2, offset: 270n };
        return { position, isEnd: false, leftBehindCommits: 0, leftBehindIsMore: false };
      },
    };
    const { environment, stage, store: name } = store.address;
    const { stores: chosen } = await chooseRecovery({
      ...{ repository, environment, stage, stores: [{ name, source }] },
      ...{ when: { kind: 'before-mark', markKind: 'deploy', name: sha }, skewLimitMs: 10 },
      nowMs: T0_MS + 1_000_000,
      ...(line === undefined ? {} : { line }),
    });
    return chosen[0]?.selection;
  };
  await store.mark('aaaaaa', 600, { line: 1, offset: 240 });
  expect(await before('aaaaaa')).toMatchObject({
    position: { line: 1, offset: '240' },
    skewMs: 0,
  });
  expect(asked).toEqual([{ kind: 'position', position: { line: 1, offset: 240n } }]);
  asked.length = 0;
  expect((await before('aaaaaa', 2))?.position).toEqual({ line: 2, offset: '270' });
  isHeld = false;
  const byTime = await before('aaaaaa');
  expect(byTime?.position).toEqual({ line: 2, offset: '270' });
  expect(byTime?.notes).toEqual([expect.stringContaining('so its time counts')]);
  await store.mark('bbbbbb', 600);
  expect((await before('bbbbbb'))?.notes).toBeUndefined();
  expect(asked.map(({ kind }) => kind)).toEqual(['time', 'position', 'time', 'time']);
});
