/** Windows over forks of a journal, on a real repository in memory, and the base that an instant is brought back from. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Secret, timedId } from '#base';
import {
  type CaptureRecord,
  createRepository,
  openJournalReader,
  openStorage,
  type Repository,
  type StoreAddress,
  writeCapture,
  writeLine,
  writePiece,
  writeWatermark,
} from '#repository';
import { findSource, type Source } from '#sources';
import { chooseRecovery } from './choose/choose.ts';
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
    base: async (line: number, end: number, atMs: number) => {
      const record = baseAt(address, line, end, T0_MS + atMs);
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
    chosen: async (atMs: number | 'latest', line?: number) => {
      const { stores: chosen } = await chooseRecovery({
        ...{ repository, environment: address.environment, stage: address.stage },
        stores: [{ name: address.store, source: endless() }],
        when: atMs === 'latest' ? { kind: 'latest' } : { kind: 'time', atMs: T0_MS + atMs },
        ...{ skewLimitMs: Number.MAX_SAFE_INTEGER, nowMs: T0_MS + 1_000_000 },
        ...(line === undefined ? {} : { line }),
      });
      return chosen[0]?.capture.id;
    },
  };
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
function endless(): Source {
  return {
    ...(findSource('postgres') as Source),
    resolve: async (base) => ({
      ...{ position: base.end, isEnd: true, leftBehindCommits: 0, leftBehindIsMore: false },
    }),
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
