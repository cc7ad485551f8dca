import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret, timedId } from '#base';
import { createRepository } from '../open.ts';
import type { Repository } from '../repository.ts';
import { MemoryStorage } from '../storage/memory.ts';
import * as captures from './captures.ts';
import { decodeRecord, encodeRecord } from './codec.ts';
import * as notes from './journal-notes.ts';
import * as marks from './marks.ts';
import * as mends from './mends.ts';
import * as pointRecords from './points.ts';
import * as proofs from './proofs.ts';
import type { CaptureRecord, Proof, RecoveryPoint, StoreAddress } from './records.ts';

const address: StoreAddress = { environment: 'shop', stage: 'production', store: 'orders' };
let repository: Repository;
const reads: string[] = [];

beforeAll(async () => {
  const storage = new MemoryStorage();
  repository = await createRepository({
    storage,
    password: new Secret('a record'),
    scrypt: { N: 2, r: 1, p: 1 },
  });
  const { read } = storage;
  storage.read = (name, range) => {
    reads.push(name);
    return read.call(storage, name, range);
  };
});
afterAll(() => repository.close());

function captureAt(atMs: number, changes: Partial<CaptureRecord> = {}): CaptureRecord {
  return {
    id: timedId(atMs),
    address,
    source: 'postgres',
    kind: 'base',
    snapshot: 'ab'.repeat(32),
    startedAtMs: atMs - 5,
    endedAtMs: atMs,
    start: { line: 1, offset: 2n ** 63n },
    end: { line: 1, offset: 2n ** 64n - 1n },
    clock: { offsetMs: -1.5, uncertaintyMs: 0.25 },
    chunkSizeBytes: 131072,
    facts: { version: 150018, tablespaces: [{ oid: '1', location: '/x' }] },
    statistics: { files: 1, directories: 2, bytes: 3, newBytes: 4, storedBytes: 5 },
    problems: [{ path: 'a\u2028b', what: 'vanished' }],
    problemCount: 1,
    ...changes,
  };
}

describe('records', () => {
  it('give back every field exactly, 64-bit positions too', async () => {
    const record = captureAt(1_790_000_000_000, {
      blockMap: 'blocks/shop/production/orders/x-1',
    });
    await captures.writeCapture(repository, record);
    expect(await captures.findCapture(repository, address, record.id)).toEqual(record);
  });

  it('list by store, kind and time without reading any', async () => {
    const files = captureAt(1_790_000_100_000, { kind: 'files' });
    const batch = captureAt(1_790_000_200_000, {
      kind: 'journal-batch',
      start: { line: 2, offset: 0n },
      end: { line: 2, offset: 16n },
    });
    const other = captureAt(1_790_000_300_000, { address: { ...address, store: 'orders-2' } });
    for (const record of [files, batch, other]) await captures.writeCapture(repository, record, 77);
    reads.length = 0;
    const all = await captures.listCaptures(repository, address);
    expect(all.map(({ id, kind }) => [id, kind])).toContainEqual([files.id, 'files']);
    expect(all.every((entry) => entry.address.store === 'orders')).toBe(true);
    expect(await captures.listCaptures(repository, address, ['journal-batch'])).toEqual([
      expect.objectContaining({
        id: batch.id,
        span: { line: 2, from: 0n, to: 16n, latestMs: 77 },
      }),
    ]);
    expect(await captures.listStores(repository)).toEqual([other.address, address]);
    expect(reads).toEqual([]);
    expect(await captures.newestCapture(repository, address, ['base', 'files'])).toEqual(files);
  });

  it('keep points and marks by time', async () => {
    const point = (atMs: number): RecoveryPoint => ({
      id: timedId(atMs),
      environment: 'shop',
      stage: 'production',
      atMs,
      stores: { orders: { capture: 'c-1' } },
      services: { api: { version: '1.2' }, worker: {} },
    });
    const points = [1_700_000_000_000, 1_700_000_060_000, 1_700_000_120_000].map(point);
    for (const one of points.toReversed()) await pointRecords.writePoint(repository, one);
    expect(await pointRecords.readPoints(repository, 'shop', 'production')).toEqual(points);
    const span = { fromMs: 1_700_000_000_001, toMs: 1_700_000_060_000 };
    expect(await pointRecords.listPoints(repository, 'shop', 'production', span)).toEqual([
      { id: points[1]?.id, atMs: 1_700_000_060_000 },
    ]);
    const mark = {
      id: timedId(1_700_000_000_000),
      environment: 'shop',
      stage: 'production',
      kind: 'deploy',
      atMs: 1_700_000_000_000,
      sha: '4f2c1e',
      author: 'Kim',
      positions: { orders: { line: 3, offset: 12n } },
    };
    await marks.writeMark(repository, mark);
    expect(await marks.readMarks(repository, 'shop', 'production')).toEqual([mark]);
    expect(await marks.readMarks(repository, 'shop', 'staging')).toEqual([]);
  });

  it('keep proofs, and refuse one whose verdict is no verdict', async () => {
    const proof: Proof = {
      ...{ id: timedId(1_700_000_000_000), environment: 'shop', stage: 'production' },
      ...{ instantMs: 1_699_999_990_000, point: 'p-1' },
      ...{ startedAtMs: 1_700_000_000_000, endedAtMs: 1_700_000_004_000, verdict: 'fail' },
      checks: [{ name: 'pages of orders', verdict: 'fail', what: 'block 7', tookMs: 3 }],
      phases: [{ phase: 'data', tookMs: 90 }],
      stores: {
        orders: { capture: 'c-1', atMs: 1_699_999_990_000, position: { line: 1, offset: 9n } },
        uploads: { capture: 'c-2', atMs: 1_699_999_980_000 },
      },
      ...{ readBytes: 12, cpuMs: 400, digest: 'ab'.repeat(32), declaration: '01'.repeat(32) },
      by: { version: '1.0.0', host: 'backup-1', controlPlane: 'cp-1' },
    };
    await proofs.writeProof(repository, proof);
    const ids = await proofs.listProofs(repository, 'shop', 'production');
    expect(ids).toEqual([proof.id]);
    expect(await proofs.readProofs(repository, 'shop', 'production', ids)).toEqual([proof]);
    const strange = { ...proof, verdict: 'fine' as 'pass' };
    await expect(proofs.writeProof(repository, strange)).rejects.toMatchObject({
      code: 'repository/record-invalid',
    });
    await proofs.removeProof(repository, 'shop', 'production', proof.id);
    expect(await proofs.listProofs(repository, 'shop', 'production')).toEqual([]);
  });

  it('keep lines, gaps and watermarks of a journal; the end of a gap replaces it', async () => {
    const line = { line: 2, parent: 1, forkOffset: 99n, raw: '1\t0/63\tno recovery target\n' };
    await notes.writeLine(repository, address, line);
    expect(await notes.readLines(repository, address)).toEqual([line]);
    const gap = {
      id: 'g-1',
      address,
      from: { line: 1, offset: 5n },
      fromMs: 10,
      because: 'the slot was lost',
    };
    await notes.writeGap(repository, gap);
    const closed = { ...gap, to: { line: 1, offset: 50n }, toMs: 20 };
    await notes.writeGap(repository, closed);
    expect(await notes.readGaps(repository, address)).toEqual([closed]);
    const watermark = { atMs: 1_790_000_000_123, position: { line: 2, offset: 2n ** 64n - 1n } };
    await notes.writeWatermark(repository, address, watermark);
    expect(await notes.listWatermarks(repository, address)).toEqual([watermark]);
    await notes.removeWatermark(repository, address, watermark);
    expect(await notes.listWatermarks(repository, address)).toEqual([]);
  });

  it('refuse names that would leave their place', async () => {
    const foreign = { ...address, store: '../config' };
    await expect(captures.listCaptures(repository, foreign)).rejects.toMatchObject({
      code: 'repository/address-invalid',
    });
  });

  it('say which field is wrong, and that a record is too new', () => {
    const name = 'points/shop/production/x';
    const wrong = (value: unknown, version = 1) =>
      decodeRecord('gap', Buffer.from(JSON.stringify({ record: 'gap', version, value })), name);
    const value = { id: 'g', address, from: { line: 1, offset: '-5' }, fromMs: 0, because: '' };
    expect(() => wrong(value)).toThrow('from.offset must be a decimal number in quotes');
    expect(() => wrong({ ...value, from: { line: 1, offset: '5' }, because: 7 })).toThrow(
      'because must be a text',
    );
    expect(() => wrong(value, 2)).toThrow('newer Holdfast (version 2)');
    const endless = captureAt(0, { clock: { offsetMs: Number.NaN, uncertaintyMs: 0 } });
    expect(() => encodeRecord('capture', endless, name)).toThrow('clock.offsetMs must be a number');
  });

  it('survive any JSON: an error of ours or a record, never anything else', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const bytes = Buffer.from(JSON.stringify({ record: 'point', version: 1, value }));
        try {
          decodeRecord('point', bytes, 'points/x');
        } catch (error) {
          expect(error).toMatchObject({ code: 'repository/record-invalid' });
        }
      }),
    );
  });

  it('keep the newest notes of mends', async () => {
    for (const atMs of [1_790_000_000_000, 1_790_000_001_000, 1_790_000_002_000]) {
      const mend = { id: timedId(atMs), atMs, by: 'check', name: 'config', what: 'written anew' };
      await mends.writeMend(repository, mend);
    }
    await mends.thinMends(repository, 2);
    const kept = await mends.listMends(repository);
    expect(kept.map(({ atMs }) => atMs)).toEqual([1_790_000_001_000, 1_790_000_002_000]);
  });
});
