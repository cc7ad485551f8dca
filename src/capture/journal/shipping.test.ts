import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, quietLogger, Secret, systemClock } from '#base';
import {
  createRepository,
  listBatches,
  listCaptures,
  listWatermarks,
  openJournalReader,
  openStorage,
  type Repository,
  readGaps,
  readLines,
} from '#repository';
import { GiveWay } from '../precedence.ts';
import type { JournalShippingOptions } from './options.ts';
import { journalBytes, SEGMENT_BYTES } from './shipping.fixture.ts';
import { type JournalShipping, openJournalShipping } from './shipping.ts';

let repository: Repository;
let home: string;
let spoolFolder: string;
let stores = 0;
let shipping: JournalShipping | undefined;
/** While set, writing pieces fails with it; every written name is noted. */
let fault: Error | undefined;
let written: string[] = [];

beforeAll(async () => {
  home = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-shipping-'));
  const storage = await openStorage('memory:shipping');
  const { write } = storage;
  storage.write = async (name, parts) => {
    if (fault && name.includes('/pieces/')) throw fault;
    written.push(name);
    await write.call(storage, name, parts);
  };
  repository = await createRepository({
    storage,
    password: new Secret('shipping'),
    scrypt: { N: 2, r: 1, p: 1 },
  });
});
afterAll(async () => {
  await repository.close();
  await fs.rm(home, { recursive: true, force: true });
});
beforeEach(() => {
  stores += 1;
  spoolFolder = path.join(home, `spool-${stores}`);
  written = [];
});
afterEach(async () => {
  fault = undefined;
  await shipping?.close();
  shipping = undefined;
});

const address = () => ({ environment: 'shop', stage: 'test', store: `orders-${stores}` });

async function open(options: Partial<JournalShippingOptions> = {}): Promise<JournalShipping> {
  shipping = await openJournalShipping({
    repository,
    address: address(),
    source: 'postgres',
    spoolFolder,
    log: quietLogger,
    segmentSizeBytes: SEGMENT_BYTES,
    shipEveryMs: 5,
    housekeepEveryMs: 0,
    ...options,
  });
  return shipping;
}

function append(to: JournalShipping, line: number, from: bigint, end: bigint): void {
  to.append(line, from, journalBytes(line, from, end), 1_000_000 + Number(end));
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = systemClock.monotonicMs() + 20_000;
  while (!condition()) {
    if (systemClock.monotonicMs() > deadline) throw new Error('it never came to be');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function readAll(line: number, from: bigint, to: bigint, spool = false): Promise<Buffer> {
  const reader = openJournalReader(repository, address(), spool ? { spoolFolder } : {});
  const parts: Buffer[] = [];
  for await (const part of reader.read(line, from, to)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

describe('journal shipping', () => {
  it('ships by itself, and reports as flushed only what is in the repository', async () => {
    const sink = await open();
    const flushed: bigint[] = [];
    sink.onFlushable(() => flushed.push(sink.flushable()?.offset ?? 0n));
    for (let at = 1000n; at < 9000n; at += 100n) append(sink, 1, at, at + 100n);
    await until(() => sink.flushable()?.offset === 9000n);
    expect(flushed).toEqual([...flushed].sort((a, b) => (a < b ? -1 : 1)));
    expect(await readAll(1, 1000n, 9000n)).toEqual(journalBytes(1, 1000n, 9000n));
    expect(sink.status()).toMatchObject({ lagMs: 0, unshippedBytes: 0, trouble: undefined });
    expect(sink.status().p99Ms).toBeGreaterThan(0);
    const [span] = await openJournalReader(repository, address()).spans();
    expect(span?.latestMs).toBe(1_009_000);
  });

  it('reports what is fsynced where the option says so, though nothing can be shipped', async () => {
    fault = new Error('the bucket is away');
    const sink = await open({ flush: 'spooled' });
    append(sink, 1, 0n, 500n);
    await until(() => sink.flushable()?.offset === 500n);
    expect(await readAll(1, 0n, 500n, true)).toEqual(journalBytes(1, 0n, 500n));
    await until(() => sink.status().trouble !== undefined);
    expect(sink.status().unshippedBytes).toBe(500);
    expect(sink.status().lagMs).toBeGreaterThan(0);
  });

  it('gives the slot up to the spool at its bound, and makes the source wait at that of the spool', async () => {
    fault = new Error('the bucket is away');
    const sink = await open({ slotBoundBytes: 1000, spoolBoundBytes: 5000 });
    append(sink, 1, 0n, 900n);
    await until(() => sink.status().synced?.offset === 900n);
    expect(sink.flushable()).toBeUndefined();
    append(sink, 1, 900n, 1100n);
    await until(() => sink.flushable()?.offset === 1100n);
    append(sink, 1, 1100n, 6000n);
    let isReady = false;
    const ready = sink.ready().then(() => {
      isReady = true;
    });
    await until(() => sink.status().synced?.offset === 6000n);
    expect(isReady).toBe(false);
    fault = undefined;
    await until(() => sink.status().unshippedBytes === 0);
    expect(sink.status().trouble).toBeUndefined();
    // The file in use is kept; the next append begins a new one when this is full.
    await sink.close();
    await ready;
    const again = await open({ slotBoundBytes: 1000, spoolBoundBytes: 5000 });
    await again.ready();
    expect(again.status().spoolBytes).toBe(0);
    expect(again.resumeFrom()).toEqual({ line: 1, offset: 6000n });
  });

  it('makes batches of whole segments, drops their pieces and the spool, and reads them back', async () => {
    const sink = await open({ batchAtBytes: 2 * SEGMENT_BYTES });
    const end = 5n * BigInt(SEGMENT_BYTES) + 123n;
    for (let at = 100n; at < end; at += 999n) {
      append(sink, 3, at, at + 999n < end ? at + 999n : end);
      await sink.shipAll();
    }
    await sink.housekeep();
    const batches = await listBatches(repository, address());
    const size = BigInt(SEGMENT_BYTES);
    expect(batches.map(({ from, to }) => [from / size, to / size])).toEqual([
      [1n, 3n],
      [3n, 5n],
    ]);
    expect(await readAll(3, 100n, end)).toEqual(journalBytes(3, 100n, end));
    expect(await readAll(3, 2n * size - 5n, 2n * size + 5n)).toEqual(
      journalBytes(3, 2n * size - 5n, 2n * size + 5n),
    );
    const [entry] = await listCaptures(repository, address(), ['journal-batch']);
    expect(entry?.span).toMatchObject({ line: 3, from: size, to: 3n * size });
    const snapshot = (await repository.snapshots.list({ tags: [[`store:${address().store}`]] }))[0];
    expect(snapshot?.paths).toEqual([`/postgres/${address().store}/journal`]);
    const reader = openJournalReader(repository, address());
    const pieces = (await reader.spans()).filter(({ where }) => where === 'piece');
    // What lies across the ends of batches stays.
    expect(pieces.reduce((sum, { from, to }) => sum + Number(to - from), 0)).toBeLessThan(7000);
    // Where a fork lies within a batch, instants stay as fine as the pieces were that entered it.
    const within = (all: Awaited<ReturnType<typeof reader.standings>>) =>
      all.filter(({ position: { offset } }) => offset > size && offset < 3n * size).length;
    const around = await reader.standings([{ line: 3, offset: 2n * size }]);
    expect(within(around)).toBeGreaterThan(within(await reader.standings()) + 5);
  });

  it('writes an old segment as a batch though it is alone, and only once', async () => {
    const sink = await open({ batchAfterMs: 0 });
    append(sink, 1, 0n, BigInt(SEGMENT_BYTES) + 10n);
    await sink.shipAll();
    await sink.housekeep();
    await sink.housekeep();
    expect((await listBatches(repository, address())).length).toBe(1);
    expect(sink.status()).toMatchObject({ batches: 1, pieces: 1 });
  });

  it('joins small pieces into larger ones', async () => {
    const sink = await open({ joinAbove: 5 });
    for (let at = 0n; at < 1000n; at += 100n) {
      append(sink, 1, at, at + 100n);
      await sink.shipAll();
    }
    expect(sink.status().pieces).toBe(10);
    await sink.housekeep();
    expect(sink.status().pieces).toBe(1);
    expect(await readAll(1, 0n, 1000n)).toEqual(journalBytes(1, 0n, 1000n));
  });

  it('records lines, told gaps and jumps, and ends an open gap where the journal goes on', async () => {
    const sink = await open();
    await sink.lineStarted({ line: 2, parent: 1, forkOffset: 500n, raw: '1\t0/1F4\tno reason\n' });
    append(sink, 2, 400n, 600n);
    append(sink, 2, 700n, 800n);
    await sink.shipAll();
    await sink.gap({ from: { line: 2, offset: 800n }, because: 'the slot was lost' });
    expect(sink.resumeFrom()).toEqual({ line: 2, offset: 800n });
    append(sink, 2, 5000n, 5100n);
    await sink.shipAll();
    expect(await readLines(repository, address())).toMatchObject([{ line: 2, forkOffset: 500n }]);
    expect(await readGaps(repository, address())).toMatchObject([
      { from: { offset: 600n }, to: { offset: 700n } },
      { from: { offset: 800n }, to: { offset: 5000n }, because: 'the slot was lost' },
    ]);
    await until(() => sink.flushable()?.offset === 5100n);
    expect(sink.resumeFrom()).toEqual({ line: 2, offset: 5100n });
    await sink.close();
    expect((await open()).resumeFrom()).toEqual({ line: 2, offset: 5100n });
  });

  it('asks again for what the spool lost before it was shipped', async () => {
    fault = new Error('the bucket is away');
    const sink = await open();
    append(sink, 1, 0n, 300n);
    await until(() => sink.status().synced?.offset === 300n);
    append(sink, 1, 300n, 600n);
    await until(() => sink.status().synced?.offset === 600n);
    await sink.close();
    const name = (await fs.readdir(spoolFolder)).find((one) => one.endsWith('.spool')) as string;
    const handle = await fs.open(path.join(spoolFolder, name), 'r+');
    await handle.write(Buffer.from([0xee]), 0, 1, 32 + 300 + 32 + 5);
    await handle.close();
    fault = undefined;
    const again = await open();
    expect(again.resumeFrom()).toEqual({ line: 1, offset: 300n });
    append(again, 1, 300n, 700n);
    await again.shipAll();
    expect(await readAll(1, 0n, 700n)).toEqual(journalBytes(1, 0n, 700n));
    expect(await readGaps(repository, address())).toEqual([]);
  });

  it('writes nothing while idle but a watermark an hour, of which one is kept', async () => {
    let nowMs = 1_800_000_000_000;
    const clock: Clock = { nowMs: () => nowMs, monotonicMs: systemClock.monotonicMs };
    const sink = await open({ clock });
    append(sink, 1, 0n, 100n);
    await sink.shipAll();
    written = [];
    const minutes = (count: number) => {
      nowMs += count * 60_000;
      sink.heard({ sentAtMs: nowMs, senderEnd: { line: 1, offset: 100n } });
    };
    for (let minute = 0; minute < 59; minute += 1) {
      minutes(1);
      await sink.housekeep();
    }
    expect(written).toEqual([]);
    minutes(1);
    await sink.housekeep();
    minutes(30);
    await sink.housekeep();
    expect(written.length).toBe(1);
    minutes(30);
    await sink.housekeep();
    expect(written.length).toBe(2);
    expect(await listWatermarks(repository, address())).toEqual([
      { atMs: nowMs, position: { line: 1, offset: 100n } },
    ]);
    // While the sender is ahead of what is here, nothing is known of now.
    sink.heard({ sentAtMs: nowMs, senderEnd: { line: 1, offset: 101n } });
    nowMs += 3_600_000;
    await sink.housekeep();
    expect(written.length).toBe(2);
  });

  it('takes the word of a sender that passes a journal on for as old as it is', async () => {
    const nowMs = 1_800_000_000_000;
    const sink = await open({
      clock: { nowMs: () => nowMs, monotonicMs: systemClock.monotonicMs },
    });
    append(sink, 1, 0n, 100n);
    await sink.shipAll();
    const relayed = { ageMs: 2_000, behindMs: 7_000 };
    sink.heard({ sentAtMs: nowMs, senderEnd: { line: 1, offset: 100n }, relayed });
    expect(sink.status()).toMatchObject({ lagMs: 7_000, heardAtMs: nowMs - 2_000 });
    await sink.noteWatermark();
    expect(await listWatermarks(repository, address())).toEqual([
      { atMs: nowMs - 2_000, position: { line: 1, offset: 100n } },
    ]);
  });

  it('forgets what lies before the oldest base, and goes on', async () => {
    const size = BigInt(SEGMENT_BYTES);
    const sink = await open({ batchAtBytes: SEGMENT_BYTES });
    for (let at = 0n; at < 3n * size + 50n; at += 2000n) {
      append(sink, 1, at, at + 2000n < 3n * size + 50n ? at + 2000n : 3n * size + 50n);
      await sink.shipAll();
    }
    await sink.housekeep();
    expect(await sink.forget({ line: 1, offset: size + 5n })).toMatchObject({ batches: 1 });
    append(sink, 1, 3n * size + 50n, 5n * size);
    await sink.shipAll();
    await sink.housekeep();
    expect((await listBatches(repository, address())).map(({ from }) => from / size)).toEqual([
      1n,
      2n,
      3n,
      4n,
    ]);
    expect(await readAll(1, size, 5n * size)).toEqual(journalBytes(1, size, 5n * size));
    await expect(readAll(1, 0n, size)).rejects.toMatchObject({ code: 'repository/journal-gap' });
  });

  it('holds captures into the same repository back while it lags, and no longer', async () => {
    let aheadMs = 0;
    const clock: Clock = {
      nowMs: systemClock.nowMs,
      monotonicMs: () => systemClock.monotonicMs() + aheadMs,
    };
    const capture = new GiveWay(repository, new AbortController().signal);
    const portion = 4 * 2 ** 20;
    fault = new Error('the storage is away');
    const sink = await open({ clock });
    sink.append(1, 0n, journalBytes(1, 0n, 1000n), 1);
    expect(capture.after(portion)).toBeUndefined();
    aheadMs = 60_000;
    const held = capture.after(portion);
    expect(held).toBeInstanceOf(Promise);
    fault = undefined;
    await sink.shipAll();
    await held;
    expect(capture.after(portion)).toBeUndefined();
  });

  it('refuses a spool that another one is writing', async () => {
    await open();
    const second = openJournalShipping({
      repository,
      address: address(),
      source: 'postgres',
      spoolFolder,
      log: quietLogger,
    });
    await expect(second).rejects.toMatchObject({ code: 'capture/spool-busy' });
  });
});
