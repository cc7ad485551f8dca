import { hash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HoldfastError, Secret } from '#base';
import { Sealer } from '../crypto/sealer.ts';
import { createRepository } from '../open.ts';
import {
  FAST_SCRYPT,
  flipByte,
  newFolder,
  open,
  QUICK,
  quickGolden,
  restic,
  tamper,
} from '../restic.fixture.ts';
import { FaultyStorage } from '../storage/faulty.ts';
import { LocalStorage } from '../storage/local/local-storage.ts';
import { MemoryStorage } from '../storage/memory.ts';
import { goTime, goTimeMs } from './go-time.ts';
import { encodeSnapshot } from './snapshot-json.ts';

async function golden() {
  const folder = await quickGolden('restic-0.14-max');
  return { folder, repository: await open(folder, QUICK) };
}

describe('snapshots', () => {
  test('that restic made are listed newest first, and filtered', async () => {
    const { snapshots } = (await golden()).repository;
    const times = async (filter?: Parameters<typeof snapshots.list>[0]) =>
      (await snapshots.list(filter)).map(({ time }) => time.slice(0, 10));
    expect(await times()).toEqual(['2026-02-02', '2026-01-02', '2026-01-01']);
    expect(await times({ hosts: ['golden', 'nobody'] })).toEqual(['2026-01-02', '2026-01-01']);
    expect(await times({ tags: [['golden', 'first'], ['none']] })).toEqual(['2026-01-01']);
    expect(await times({ paths: ['/elsewhere'] })).toEqual([]);
  });

  test('are found by the beginning of an id, and as the latest', async () => {
    const { snapshots } = (await golden()).repository;
    const [latest, second] = await snapshots.list();
    expect(await snapshots.find('latest')).toEqual(latest);
    expect(await snapshots.find('latest', { hosts: ['golden'] })).toEqual(second);
    expect(await snapshots.find(second?.id.slice(0, 8).toUpperCase() ?? '')).toEqual(second);
    for (const what of ['', 'ffffffff', second?.id.slice(0, 3) ?? '']) {
      await expect(snapshots.find(what)).rejects.toMatchObject({
        code: 'repository/snapshot-not-found',
        kind: 'not-found',
      });
    }
  });

  test('that we save are seen by restic as they are', async () => {
    const { folder, repository } = await golden();
    const [latest] = await repository.snapshots.list();
    const saved = await repository.snapshots.save({
      time: '2026-03-01T10:00:00.123456789+02:00',
      tree: latest?.tree ?? '',
      paths: ['/srv/<data> & more'],
      parent: latest?.id ?? '',
      hostname: 'h',
      tags: ['a', 'b'],
      others: { program_version: 'someone 1.0' },
    });
    expect(await repository.snapshots.load(saved.id)).toEqual(saved);
    const listed = JSON.parse(await restic(folder, QUICK, ['snapshots', '--json']));
    expect(listed.find(({ id }: { id: string }) => id === saved.id)).toMatchObject({
      time: '2026-03-01T10:00:00.123456789+02:00',
      parent: latest?.id,
      paths: ['/srv/<data> & more'],
      hostname: 'h',
      tags: ['a', 'b'],
    });
    await repository.snapshots.remove(saved.id);
    expect(await repository.snapshots.ids()).toHaveLength(3);
  });

  test.each([{ kind: 'lost' }, { kind: 'cut', keepBytes: 20 }] as const)(
    'that a storage confirms and has not are refused ($kind)',
    async (fault) => {
      const rule = { on: 'write', name: /^snapshots\//, fault } as const;
      const storage = new FaultyStorage(new MemoryStorage(), [rule]);
      const password = new Secret('p');
      const { snapshots } = await createRepository({ storage, password, scrypt: FAST_SCRYPT });
      const snapshot = { time: 0, tree: 'ab'.repeat(32), paths: ['/srv'] };
      await expect(snapshots.save(snapshot)).rejects.toMatchObject({ code: 'repository/not-kept' });
      expect((await snapshots.save(snapshot)).paths).toEqual(['/srv']);
    },
  );

  test('that are damaged are named, and the others listed', async () => {
    const { folder, repository } = await golden();
    const [victim] = await repository.snapshots.ids();
    await tamper(`${folder}/snapshots/${victim}`, flipByte(-1));
    await expect(repository.snapshots.list()).rejects.toMatchObject({
      code: 'repository/file-damaged',
      message: expect.stringContaining(`snapshots/${victim} is damaged`),
    });
    const damaged: string[] = [];
    expect(await repository.snapshots.list({}, (id) => damaged.push(id))).toHaveLength(2);
    expect(damaged).toEqual([victim]);
  });

  test('of which there are very many are listed as few are: in other threads, with what is damaged named', async () => {
    const folder = await newFolder();
    const repository = await createRepository({
      storage: new LocalStorage(folder),
      password: new Secret('p'),
      scrypt: FAST_SCRYPT,
    });
    onTestFinished(() => repository.close());
    // As they would be saved, but for the disk's confirmation of each.
    const sealer = new Sealer(repository.masterKey);
    const put = (json: string) => {
      const sealed = sealer.seal(Buffer.from(json));
      const id = hash('sha256', sealed);
      fs.writeFileSync(path.join(folder, 'snapshots', id), sealed);
      return id;
    };
    fs.mkdirSync(path.join(folder, 'snapshots'), { recursive: true });
    const { snapshots, files } = repository;
    const ofTime = (time: number) => ({ time, tree: 'ab'.repeat(32), paths: ['/srv'], tags: [] });
    const standsIn = await snapshots.save(ofTime(0));
    const ids = Array.from({ length: 2_100 }, (_, at) => put(encodeSnapshot(ofTime(1 + at))));
    const [lost = '', nonsense] = [ids.pop(), put('{"time": 7}')];
    for (const id of [standsIn.id, lost]) {
      await tamper(path.join(folder, 'snapshots', id), flipByte(-1));
    }
    await expect(snapshots.list()).rejects.toThrow(HoldfastError);
    const damaged: string[] = [];
    const listed = await snapshots.list({}, (id) => damaged.push(id));
    expect(listed.map(({ id }) => id)).toEqual([...ids.toReversed(), standsIn.id]);
    expect(damaged.sort()).toEqual([lost, nonsense].sort());
    expect(files.takeStandIns('snapshots')).toEqual([`snapshots/${standsIn.id}`]);
  });
});

describe('times', () => {
  test.each([
    ['2026-11-21T10:42:07Z', Date.UTC(2026, 10, 21, 10, 42, 7)],
    ['2026-11-21T10:42:07.123456789Z', Date.UTC(2026, 10, 21, 10, 42, 7, 123)],
    ['2026-11-21T10:42:07.5+02:00', Date.UTC(2026, 10, 21, 8, 42, 7, 500)],
    ['1960-01-01T00:00:00Z', Date.UTC(1960, 0, 1)],
  ])('%s', (text, expected) => {
    expect(goTimeMs(text)).toBe(expected);
  });

  test('come back to the millisecond, as Go would write them', () => {
    fc.assert(
      fc.property(
        fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }),
        (date) => {
          const text = goTime(date.getTime());
          expect(text).not.toMatch(/\.\d*0Z$|\.Z$/);
          expect(goTimeMs(text)).toBe(date.getTime());
        },
      ),
    );
  });

  test.each(['', 'yesterday', '2026-11-21', '2026-11-21T10:42Z', '2026-11-21T10:42:07'])(
    'refuses %s',
    (text) => {
      expect(goTimeMs(text)).toBeNaN();
    },
  );
});
