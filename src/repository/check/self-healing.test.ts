import fs from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { randomBytes, Secret } from '#base';
import { packName } from '../names.ts';
import { createRepository, openRepository } from '../open.ts';
import { parityName } from '../parity/parity-names.ts';
import { removeParity } from '../parity/remove-parity.ts';
import { writeMissingParity } from '../parity/write-missing.ts';
import { listMends } from '../records/mends.ts';
import type { Repository } from '../repository.ts';
import {
  FAST_SCRYPT,
  filesIn,
  flipByte,
  newFolder,
  open,
  QUICK,
  quickGolden,
  restic,
  tamper,
} from '../restic.fixture.ts';
import { readFiles, saveFiles } from '../saved-files.fixture.ts';
import { FaultyStorage } from '../storage/faulty.ts';
import { LocalStorage } from '../storage/local/local-storage.ts';
import { checkRepository } from './check.ts';

const FILES = new Map([
  ['large', randomBytes(1_500_000)],
  ['folder/small', randomBytes(3_000)],
]);

/** With parity, a snapshot of FILES, and its data packs. */
async function protectedRepository() {
  const folder = await newFolder();
  const repository = await createRepository({
    storage: new LocalStorage(folder),
    password: new Secret(QUICK),
    scrypt: FAST_SCRYPT,
  });
  await repository.parity.change({ on: true, overhead: 0.03 });
  const snapshot = await saveFiles(repository, FILES);
  await repository.close();
  const opened = await open(folder, QUICK);
  await opened.loadIndex();
  return { folder, repository: opened, snapshot, dataPacks: packsOf(opened, 'data') };
}

function packsOf(repository: Repository, type: 'data' | 'tree'): string[] {
  return [...repository.index.packs()].flatMap(({ id, blobs }) =>
    blobs[0]?.type === type ? [id] : [],
  );
}

async function expectClean(folder: string): Promise<void> {
  expect(await restic(folder, QUICK, ['check', '--read-data'])).toContain('no errors were found');
}

describe('parity', () => {
  test('is written with the packs, restic minds it not, and a damaged pack is mended by check', async () => {
    const { folder, repository, dataPacks } = await protectedRepository();
    const names = await filesIn(path.join(folder, 'holdfast/parity'));
    expect(names).toHaveLength(repository.index.packCount);
    await expectClean(folder);
    const [first, second] = dataPacks as [string, string];
    const whole = await fs.readFile(path.join(folder, packName(first)));
    await tamper(path.join(folder, packName(first)), flipByte(9_000));
    await tamper(path.join(folder, packName(second)), (bytes) => bytes.subarray(0, -5_000));
    const report = await checkRepository(repository, { readData: true });
    expect(report).toMatchObject({ verdict: 'pass', problems: [], affectedCount: 0 });
    expect(report.mended.map(({ name }) => name).sort()).toEqual(
      [packName(first), packName(second)].sort(),
    );
    expect((await fs.readFile(path.join(folder, packName(first)))).equals(whole)).toBe(true);
    expect((await listMends(repository)).map(({ by }) => by)).toEqual(['check', 'check']);
    await expectClean(folder);
    expect((await checkRepository(repository, { readData: true })).mended).toEqual([]);
  });

  test('gives readers the right bytes and mends the pack, also where only one file is read', async () => {
    const { folder, repository, snapshot, dataPacks } = await protectedRepository();
    for (const id of [...dataPacks, ...packsOf(repository, 'tree')]) {
      await tamper(path.join(folder, packName(id)), flipByte(100));
    }
    for (const [name, bytes] of await readFiles(repository, snapshot.tree)) {
      expect(FILES.get(name)?.equals(bytes as Buffer)).toBe(true);
    }
    expect(repository.parity.mends.length).toBe(repository.index.packCount);
    await expectClean(folder);
  });

  test('gives readers the right bytes where nothing may be written', async () => {
    const { folder, snapshot, dataPacks } = await protectedRepository();
    for (const id of dataPacks) await tamper(path.join(folder, packName(id)), flipByte(200));
    const readOnly = new FaultyStorage(new LocalStorage(folder), [
      { on: ['write', 'remove'], fault: { kind: 'full' }, times: Number.POSITIVE_INFINITY },
    ]);
    const repository = await openRepository({ storage: readOnly, password: new Secret(QUICK) });
    await repository.loadIndex();
    for (const [name, bytes] of await readFiles(repository, snapshot.tree)) {
      expect(FILES.get(name)?.equals(bytes as Buffer)).toBe(true);
    }
    await repository.close();
  });

  test('names what is beyond it, with what that costs', async () => {
    const { folder, repository, dataPacks } = await protectedRepository();
    const victim = path.join(folder, packName(dataPacks[0] as string));
    await tamper(victim, (bytes) => Buffer.concat([randomBytes(60_000), bytes.subarray(60_000)]));
    const report = await checkRepository(repository, { readData: true });
    expect(report.verdict).toBe('fail');
    expect(report.problems.map(({ what }) => what).join('\n')).toContain(
      'more than its parity brings back',
    );
    expect(report.affected.map((file) => file.path)).toContain('/large');
  });

  test('of packs that restic wrote is made later; a damaged sidecar is made anew; what is gone loses its own', async () => {
    const folder = await quickGolden('restic-0.14-max');
    const repository = await open(folder, QUICK);
    await repository.parity.change({ on: true, overhead: 0.1 });
    await repository.loadIndex();
    const written = await writeMissingParity(repository);
    expect(written.packs).toBe(repository.index.packCount);
    expect((await writeMissingParity(repository)).packs).toBe(0);
    const [pack] = repository.index.packIds() as unknown as [string];
    await tamper(path.join(folder, parityName(pack)), flipByte(70));
    const report = await checkRepository(repository, { readData: true });
    expect(report.mended).toEqual([{ name: parityName(pack), what: 'made anew from its pack' }]);
    expect(await repository.parity.isWhole(pack)).toBe(true);
    expect(await removeParity(repository.storage, [pack, 'f'.repeat(64)])).toBe(1);
    expect(await repository.parity.isWhole(pack)).toBeUndefined();
    await expectClean(folder);
  });
});

describe('second copies', () => {
  test('open a repository that lost its config and keys, and check brings those back', async () => {
    const { folder, repository } = await protectedRepository();
    const [key] = await filesIn(path.join(folder, 'keys'));
    const before = await filesIn(folder);
    await repository.close();
    await fs.rm(path.join(folder, 'config'));
    await tamper(path.join(folder, 'keys', key as string), flipByte(20));
    const damagedKey = await open(folder, QUICK);
    await damagedKey.close();
    await fs.rm(path.join(folder, 'keys', key as string));
    await expect(
      createRepository({ storage: new LocalStorage(folder), password: new Secret('another') }),
    ).rejects.toMatchObject({ code: 'repository/repository-exists' });
    const opened = await open(folder, QUICK);
    const report = await checkRepository(opened);
    expect(report).toMatchObject({ verdict: 'pass' });
    expect(report.mended.map(({ name }) => name).sort()).toEqual(['config', `keys/${key}`]);
    expect(await filesIn(folder)).toEqual(expect.arrayContaining(before));
    await expectClean(folder);
  });

  test('stand in for damaged indexes and snapshots, also for an index that is gone', async () => {
    const { folder, repository, snapshot } = await protectedRepository();
    const [index] = await filesIn(path.join(folder, 'index'));
    await repository.close();
    for (const name of [`index/${index}`, `snapshots/${snapshot.id}`]) {
      await tamper(path.join(folder, name), flipByte(40));
    }
    const opened = await open(folder, QUICK);
    await opened.loadIndex();
    const read = await readFiles(opened, (await opened.snapshots.load(snapshot.id)).tree);
    expect(read).toEqual(FILES);
    const report = await checkRepository(opened);
    expect(report).toMatchObject({ verdict: 'pass' });
    expect(report.mended.map(({ name }) => name).sort()).toEqual([
      `index/${index}`,
      `snapshots/${snapshot.id}`,
    ]);
    await expectClean(folder);
    await fs.rm(path.join(folder, 'index', index as string));
    const again = await open(folder, QUICK);
    expect(await checkRepository(again)).toMatchObject({
      verdict: 'pass',
      mended: [{ name: `index/${index}` }],
    });
    await expectClean(folder);
  });

  test('stand in for a damaged record, follow it when it is replaced, and go with it', async () => {
    const { folder, repository } = await protectedRepository();
    const at = (name: string) => path.join(folder, 'holdfast', name);
    const name = 'captures/shop/test/orders/first.base';
    await repository.sealed.write(name, Buffer.from('as it was'));
    await repository.sealed.write(name, Buffer.from('as it is'));
    await tamper(at(name), flipByte(9));
    expect((await repository.sealed.read(name)).toString()).toBe('as it is');
    const report = await checkRepository(repository, { readData: true });
    expect(report.mended.map((file) => file.name)).toEqual([`holdfast/${name}`]);
    await tamper(at(`copies/holdfast/${name}`), flipByte(9));
    const again = await checkRepository(repository, { readData: true });
    expect(again.mended.map((file) => file.name)).toEqual([`holdfast/copies/holdfast/${name}`]);
    expect((await repository.sealed.read(name)).toString()).toBe('as it is');
    await tamper(at(name), flipByte(9));
    await tamper(at(`copies/holdfast/${name}`), flipByte(9));
    await expect(repository.sealed.read(name)).rejects.toMatchObject({
      code: 'repository/file-damaged',
    });
    await repository.sealed.remove(name);
    expect(await filesIn(at('copies/holdfast'))).toEqual(['format']);
    await expectClean(folder);
  });

  test('never bring back what was removed: a password, a snapshot, an index', async () => {
    const { folder, repository, snapshot } = await protectedRepository();
    const added = await repository.keys.add(new Secret('revoked'));
    await repository.keys.remove(added);
    await expect(open(folder, 'revoked')).rejects.toMatchObject({
      code: 'repository/wrong-password',
    });
    await repository.snapshots.remove(snapshot.id);
    const copies = await filesIn(path.join(folder, 'holdfast/copies'));
    expect(copies.filter((name) => name.includes(added) || name.includes(snapshot.id))).toEqual([]);
    await saveFiles(repository, new Map([['other', randomBytes(10_000)]]));
    await restic(folder, QUICK, ['prune', '--max-unused', '0']);
    const again = await open(folder, QUICK);
    const report = await checkRepository(again, { readData: true });
    expect(report).toMatchObject({ verdict: 'pass', problems: [], mended: [] });
  });

  test('that are damaged themselves are written anew; a snapshot that restic forgot is only noted', async () => {
    const { folder, repository, snapshot } = await protectedRepository();
    await tamper(path.join(folder, 'holdfast/copies/config'), flipByte(3));
    await tamper(path.join(folder, `holdfast/copies/snapshots/${snapshot.id}`), flipByte(3));
    const report = await checkRepository(repository, { readData: true });
    expect(report.mended.map(({ name }) => name).sort()).toEqual([
      'holdfast/copies/config',
      `holdfast/copies/snapshots/${snapshot.id}`,
    ]);
    await restic(folder, QUICK, ['forget', snapshot.id]);
    const after = await checkRepository(repository);
    expect(after).toMatchObject({ verdict: 'pass', mended: [], checked: { snapshots: 0 } });
    expect(after.notes.join()).toContain(snapshot.id.slice(0, 8));
  });
});
