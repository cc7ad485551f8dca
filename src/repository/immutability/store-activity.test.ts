import { expect, test } from 'vitest';
import { Secret, systemClock } from '#base';
import { writePiece } from '../journal/pieces.ts';
import { createRepository } from '../open.ts';
import { writeCapture } from '../records/captures.ts';
import type { CaptureRecord } from '../records/records.ts';
import { FAST_SCRYPT } from '../restic.fixture.ts';
import { MemoryStorage } from '../storage/memory.ts';
import { storeActivity } from './store-activity.ts';

const HOUR_MS = 3_600_000;
const address = { environment: 'shop', stage: 'production', store: 'db' };

function capture(id: string, kind: 'base' | 'journal-batch', ageMs: number): CaptureRecord {
  const endedAtMs = systemClock.nowMs() - ageMs;
  return {
    id,
    address,
    source: 'postgres',
    kind,
    snapshot: 'a'.repeat(64),
    startedAtMs: endedAtMs - 10,
    endedAtMs,
    start: { line: 1, offset: 0n },
    end: { line: 1, offset: 100n },
    clock: { offsetMs: 0, uncertaintyMs: 0 },
    chunkSizeBytes: 0,
    facts: {},
    statistics: { files: 1, directories: 1, bytes: 9_000, newBytes: 8_000, storedBytes: 4_800 },
    problems: [],
    problemCount: 0,
  };
}

test('a store does what its records of the last week tell, and holds what all of them stored', async () => {
  const repository = await createRepository({
    storage: new MemoryStorage(),
    password: new Secret('p'),
    scrypt: FAST_SCRYPT,
    cache: false,
  });
  await writeCapture(repository, capture('old', 'base', 30 * 24 * HOUR_MS));
  await writeCapture(repository, capture('young', 'base', 48 * HOUR_MS));
  await writeCapture(repository, capture('batch', 'journal-batch', HOUR_MS));
  for (const [from, latestMs] of [
    [0n, 1_000_000],
    [10n, 1_000_000 + HOUR_MS],
    [20n, 1_000_000 + 2 * HOUR_MS],
  ] as const) {
    await writePiece(repository, address, { line: 1, from, latestMs }, Buffer.alloc(10));
  }
  const [db, ...others] = await storeActivity(repository);
  expect(others).toEqual([]);
  expect(db).toMatchObject({ store: 'shop/production/db', storedBytes: 3 * 4_800 });
  // The old one says that the store is older than the week.
  expect(db?.newBytesPerDay).toBeCloseTo((2 * 4_800) / 7);
  expect(db?.capturesPerDay).toBeCloseTo(1 / 7);
  expect(db?.journalBatchesPerDay).toBeCloseTo(1 / 7);
  expect(db?.journalPiecesPerDay).toBeCloseTo(24);
  await repository.close();
});
