import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret, systemClock, timedId } from '#base';
import { listPieces, writePiece } from '../journal/pieces.ts';
import { createRepository } from '../open.ts';
import { writeCapture } from '../records/captures.ts';
import { writeGap, writeLine, writeWatermark } from '../records/journal-notes.ts';
import type { CaptureKind, CaptureRecord, StoreAddress } from '../records/records.ts';
import type { Repository } from '../repository.ts';
import { FAST_SCRYPT } from '../restic.fixture.ts';
import { saveFiles } from '../saved-files.fixture.ts';
import { MemoryStorage } from '../storage/memory.ts';
import { checkRepository } from './check.ts';

const T0_MS = 1_790_000_000_000;
let repository: Repository;
let snapshot: string;
let stores = 0;

beforeAll(async () => {
  const storage = new MemoryStorage();
  const password = new Secret('journals');
  repository = await createRepository({ storage, password, scrypt: FAST_SCRYPT });
  await repository.loadIndex();
  snapshot = (await saveFiles(repository, new Map([['wal', Buffer.from('segment')]]))).id;
});
afterAll(() => repository.close());

/** A store with a base on line 1 that ends at 100; times are the offsets. */
async function store() {
  stores += 1;
  const address: StoreAddress = { environment: 'shop', stage: 'test', store: `orders-${stores}` };
  const piece = (line: number, from: number, to: number) =>
    writePiece(
      repository,
      address,
      { line, from: BigInt(from), latestMs: T0_MS + to },
      Buffer.alloc(to - from, 7),
    );
  const capture = (kind: CaptureKind, line: number, from: number, to: number, of = snapshot) =>
    writeCapture(repository, recordOf({ address, kind, line, from, to, snapshot: of }), T0_MS + to);
  await capture('base', 1, 90, 100);
  return { address, piece, capture, findings: () => findingsOf(address) };
}

type Made = Pick<CaptureRecord, 'address' | 'kind' | 'snapshot'> & {
  line: number;
  from: number;
  to: number;
};

function recordOf({ line, from, to, ...made }: Made): CaptureRecord {
  const endedAtMs = T0_MS + to;
  return {
    ...{ ...made, id: timedId(endedAtMs), source: 'postgres', startedAtMs: endedAtMs, endedAtMs },
    start: { line, offset: BigInt(from) },
    end: { line, offset: BigInt(to) },
    clock: { offsetMs: 0, uncertaintyMs: 1 },
    ...{ chunkSizeBytes: 8192, facts: {}, problems: [], problemCount: 0 },
    statistics: { files: 0, directories: 0, bytes: 0, newBytes: 0, storedBytes: 0 },
  };
}

async function findingsOf({ store: name }: StoreAddress) {
  const { problems, notes } = await checkRepository(repository);
  const own = problems.filter(({ what }) => what.includes(`/${name}`));
  return {
    kinds: own.map(({ kind }) => kind),
    places: own.map(({ id }) => id.slice(id.indexOf(' ') + 1)),
    texts: own.map(({ what }) => what),
    notes: notes.filter((note) => note.includes(`/${name} `)),
  };
}

describe('a journal', () => {
  test('that goes on from its base is whole, whatever lay before and however it was cut', async () => {
    const { piece, capture, findings } = await store();
    await piece(1, 10, 20);
    await piece(1, 95, 200);
    await capture('journal-batch', 1, 150, 400);
    await piece(1, 400, 500);
    expect(await findings()).toMatchObject({ kinds: [], notes: [] });
  });

  test('without one of its pieces is named, with the instants that are lost; a later base ends them', async () => {
    const { address, piece, capture, findings } = await store();
    await piece(1, 95, 200);
    await piece(1, 200, 250);
    await piece(1, 250, 300);
    const [, lost] = await listPieces(repository, address);
    await repository.sealed.remove(lost?.name ?? '');
    const { kinds, places, texts } = await findings();
    expect([kinds, places]).toEqual([['journal-missing'], ['line 1 from 0xc8 to 0xfa']]);
    expect(texts[0]).toContain(`no instant after ${new Date(T0_MS + 200).toISOString()} can`);
    await capture('base', 1, 260, 280);
    expect((await findings()).texts[0]).toContain(`before ${new Date(T0_MS + 280).toISOString()}`);
  });

  test('that is gone from the base on, or at its end, is named by what is known to have been', async () => {
    const { address, piece, findings } = await store();
    await piece(1, 120, 200);
    const position = { line: 1, offset: 240n };
    await writeWatermark(repository, address, { atMs: T0_MS + 300, position });
    expect((await findings()).places).toEqual([
      'line 1 from 0x64 to 0x78',
      'line 1 from 0xc8 to 0xf0',
    ]);
  });

  test('whose batch lost its snapshot is named; so is a base without one, which needs no journal', async () => {
    const { piece, capture, findings } = await store();
    await piece(1, 95, 200);
    await capture('journal-batch', 1, 200, 300, 'ab'.repeat(32));
    await capture('base', 2, 40, 50, 'cd'.repeat(32));
    await piece(1, 300, 400);
    await piece(2, 90, 95);
    const { places, notes } = await findings();
    expect(places).toEqual(['line 1 from 0xc8 to 0x12c']);
    expect(notes.map((note) => /snapshot (\w+)/.exec(note)?.[1])).toEqual(
      expect.arrayContaining(['abababab', 'cdcdcdcd']),
    );
  });

  test('is followed over a fork, and a recorded gap is no news', async () => {
    const { address, piece, findings } = await store();
    await piece(1, 95, 200);
    await writeLine(repository, address, { line: 2, parent: 1, forkOffset: 250n, raw: '' });
    expect((await findings()).places).toEqual([]);
    await piece(2, 270, 300);
    expect((await findings()).places).toEqual([
      'line 1 from 0xc8 to 0xfa',
      'line 2 from 0xfa to 0x10e',
    ]);
    const gap = { from: { line: 1, offset: 200n }, to: { line: 2, offset: 270n } };
    await writeGap(repository, {
      ...{ ...gap, id: timedId(T0_MS), address, fromMs: T0_MS, because: 'the server was gone' },
    });
    expect((await findings()).places).toEqual([]);
  });

  test('of which pieces are on their way is told to wait for', async () => {
    const { address, findings } = await store();
    const latestMs = systemClock.nowMs();
    await writePiece(repository, address, { line: 1, from: 200n, latestMs }, Buffer.alloc(9));
    expect(await findings()).toMatchObject({
      kinds: [],
      notes: [expect.stringContaining('from 0x64 to 0xc8 yet')],
    });
  });

  test('with a damaged record of its base is mended or named, without reading everything', async () => {
    const { address, findings } = await store();
    const [name = ''] = await repository.sealed.list(`captures/shop/test/${address.store}/`);
    const damaged = [Buffer.from('damaged, as it were')];
    await repository.storage.write(`holdfast/${name}`, damaged);
    const { mended } = await checkRepository(repository);
    expect(mended.map((file) => file.name)).toEqual([`holdfast/${name}`]);
    await repository.storage.write(`holdfast/${name}`, damaged);
    await repository.storage.write(`holdfast/copies/holdfast/${name}`, damaged);
    expect((await findings()).kinds).toEqual(['own-file-damaged']);
  });
});
