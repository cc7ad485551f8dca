import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '#base';
import {
  createRepository,
  listBatches,
  listPieces,
  openJournalReader,
  openStorage,
  type Repository,
} from '#repository';
import type { CrashPointName } from '../crash-point.ts';
import { FIXTURE_PASSWORD, journalBytes, SEGMENT_BYTES } from './shipping.fixture.ts';

let home: string;
let repository: Repository;
let folder: string;

beforeAll(async () => {
  home = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-crash-'));
  folder = path.join(home, 'repository');
  repository = await createRepository({
    storage: await openStorage(folder),
    password: new Secret(FIXTURE_PASSWORD),
    scrypt: { N: 1024, r: 8, p: 1 },
  });
});
afterAll(async () => {
  await repository.close();
  await fs.rm(home, { recursive: true, force: true });
});

const fixture = path.join(import.meta.dirname, 'shipping.fixture.ts');

/** Runs the process; gives back how it ended and the last position that it acknowledged. */
function run(store: string, crashAt: string, times: number, end: bigint) {
  const spool = path.join(home, `spool-${store}`);
  const args = [fixture, folder, spool, store, crashAt, String(times), String(end)];
  const result = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 50_000 });
  const acknowledged = result.stdout.trim().split('\n').at(-1) || '0';
  return { signal: result.signal, status: result.status, acknowledged, stderr: result.stderr };
}

async function readAll(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts);
}

const POINTS: [CrashPointName, number][] = [
  ['journal/spooled', 3],
  ['journal/piece-stored', 4],
  ['journal/pieces-joined', 1],
  ['journal/batch-blobs-stored', 1],
  ['journal/batch-snapshot-stored', 1],
  ['journal/batch-stored', 1],
  ['journal/batch-piece-removed', 2],
];

describe('shipping killed between two durable steps', () => {
  it.each(POINTS)('%s: keeps what was acknowledged, and goes on', async (point, times) => {
    const store = point.replace(/[^a-z]/g, '-');
    const address = { environment: 'shop', stage: 'test', store };
    const end = 12_000n;
    const killed = run(store, point, times, end);
    expect(killed).toMatchObject({ signal: 'SIGKILL', stderr: '' });
    const acknowledged = BigInt(killed.acknowledged);
    // What was acknowledged is in the repository alone: the machine may be lost with its spool.
    const survived = openJournalReader(repository, address);
    expect(await survived.contiguousEnd({ line: 1, offset: 0n })).toBeGreaterThanOrEqual(
      acknowledged,
    );
    expect(await readAll(survived.read(1, 0n, acknowledged))).toEqual(
      journalBytes(1, 0n, acknowledged),
    );
    const again = run(store, 'none', 1, end);
    expect(again).toMatchObject({ signal: null, status: 0, stderr: '', acknowledged: `${end}` });
    const reader = openJournalReader(repository, address);
    expect(await readAll(reader.read(1, 0n, end))).toEqual(journalBytes(1, 0n, end));
    expect(await reader.gaps()).toEqual([]);
    const batches = await listBatches(repository, address);
    const batched = batches.at(-1)?.to ?? 0n;
    expect(batched % BigInt(SEGMENT_BYTES)).toBe(0n);
    expect(batched).toBeGreaterThan(0n);
    // Nothing that a batch holds lies about as pieces.
    for (const piece of await listPieces(repository, address))
      expect(piece.to > batched).toBe(true);
  });

  it('left a repository that restic finds whole', () => {
    const env = { ...process.env, RESTIC_PASSWORD: FIXTURE_PASSWORD, HOME: home };
    const args = ['-r', folder, '--no-cache', '--no-lock', 'check', '--read-data'];
    expect(execFileSync('restic', args, { env, encoding: 'utf8' })).toContain('no errors');
  });
});
