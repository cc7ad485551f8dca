import fs from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Secret } from '#base';
import { packName } from '../names.ts';
import type { Repository } from '../repository.ts';
import { filesIn, flipByte, open, QUICK, quickGolden, restic, tamper } from '../restic.fixture.ts';
import { checkRepository } from './check.ts';
import type { CheckReport } from './problems.ts';

async function golden(name = 'restic-0.14-max') {
  const folder = await quickGolden(name);
  return { folder, repository: await open(folder, QUICK) };
}

async function packOf(repository: Repository, type: 'data' | 'tree'): Promise<string> {
  await repository.loadIndex();
  for (const { id, blobs } of repository.index.packs()) if (blobs[0]?.type === type) return id;
  throw new Error(`no ${type} pack`);
}

function kinds(report: CheckReport): string[] {
  return [...new Set(report.problems.map(({ kind }) => kind))].sort();
}

describe('check', () => {
  test.each(['restic-0.14-max', 'restic-0.14-off'])('finds %s whole', async (name) => {
    const { repository } = await golden(name);
    const quick = await checkRepository(repository);
    expect(quick).toMatchObject({ verdict: 'pass', problems: [], notes: [], affectedCount: 0 });
    const report = await checkRepository(repository, { readData: true });
    expect(report).toMatchObject({ verdict: 'pass', problems: [] });
    expect(report.checked).toMatchObject({
      trees: quick.checked.trees,
      blobs: quick.checked.blobs,
    });
    expect(report.checked.readPacks).toBe(report.checked.packs);
    expect(report.checked.blobs).toBe(repository.index.blobCount);
    expect(report.checked.readBytes).toBeGreaterThan(10_000);
  });

  test('finds a flipped byte in a data pack by reading, and which files it costs', async () => {
    const { folder, repository } = await golden();
    const packId = await packOf(repository, 'data');
    const [blob] = repository.index.packContents(packId);
    await tamper(path.join(folder, packName(packId)), flipByte((blob?.offset ?? 0) + 40));
    expect((await checkRepository(repository)).verdict).toBe('pass');
    const report = await checkRepository(repository, { readData: true });
    expect(report.verdict).toBe('fail');
    expect(kinds(report)).toEqual(['pack-damaged']);
    const blobId = Buffer.from(blob?.id ?? []).toString('hex');
    expect(report.problems.map(({ what }) => what)).toEqual([
      expect.stringContaining(`pack ${packId}: its SHA-256 is`),
      expect.stringContaining(`data blob ${blobId} in pack ${packId} is damaged`),
    ]);
    expect(report.affectedCount).toBeGreaterThan(0);
    expect(report.affected[0]).toMatchObject({ because: `data blob ${blobId} is lost` });
    await expect(restic(folder, QUICK, ['check', '--read-data'])).rejects.toThrow();
  });

  test('finds a flipped byte in the header of a pack, which costs nothing yet', async () => {
    const { folder, repository } = await golden();
    const packId = await packOf(repository, 'data');
    await tamper(path.join(folder, packName(packId)), flipByte(-10));
    const report = await checkRepository(repository, { readData: true });
    expect(kinds(report)).toEqual(['pack-damaged']);
    expect(report.problems.map(({ what }) => what).join()).toContain("its header can't be read");
    expect(report.affectedCount).toBe(0);
  });

  test('finds a damaged tree without reading data', async () => {
    const { folder, repository } = await golden();
    const packId = await packOf(repository, 'tree');
    await tamper(path.join(folder, packName(packId)), flipByte(40));
    const report = await checkRepository(repository);
    expect(kinds(report)).toEqual(['tree-damaged']);
    expect(report.affected[0]).toMatchObject({
      path: expect.stringMatching(/\/$/),
      because: expect.stringContaining("its directory can't be read"),
    });
  });

  test('finds a damaged index where the others were loaded long ago', async () => {
    const { folder, repository } = await golden();
    expect((await checkRepository(repository)).verdict).toBe('pass');
    for (const id of await filesIn(path.join(folder, 'index'))) {
      await tamper(path.join(folder, 'index', id), flipByte(30));
      const report = await checkRepository(repository);
      expect(report.problems.map((problem) => problem.id)).toContain(id);
    }
  });

  test('finds a truncated and a missing pack without reading data', async () => {
    const { folder, repository } = await golden();
    const packId = await packOf(repository, 'data');
    const file = path.join(folder, packName(packId));
    await tamper(file, (bytes) => bytes.subarray(0, -1));
    const cut = await checkRepository(repository);
    expect(cut.problems).toEqual([
      {
        kind: 'pack-damaged',
        id: packId,
        what: expect.stringMatching(/is \d+ bytes long and not/),
      },
    ]);
    await fs.rm(file);
    const missing = await checkRepository(repository, { readData: true });
    expect(missing.problems).toEqual([
      { kind: 'pack-missing', id: packId, what: `pack ${packId} is not there` },
    ]);
    expect(missing.affectedCount).toBeGreaterThan(0);
  });

  test('finds a missing index by the blobs that nobody tells of, and notes the packs', async () => {
    const { folder, repository } = await golden();
    const [victim] = await filesIn(path.join(folder, 'index'));
    await fs.rm(path.join(folder, 'index', victim as string));
    const report = await checkRepository(repository);
    expect(kinds(report)).toEqual(['blob-missing']);
    expect(report.notes).toEqual([expect.stringContaining('packs are in no index')]);
    const all = await checkRepository(repository, { readData: true });
    expect(all.problems).toEqual(report.problems);
    expect(all.affected).toEqual(report.affected);
  });

  test('finds damaged indexes, snapshots and files of our own, mends a key that has a copy, and reads on', async () => {
    const { folder, repository } = await golden();
    await repository.sealed.write('points/a', Buffer.from('a'));
    await repository.sealed.write('points/b', Buffer.from('b'));
    const [snapshot] = await filesIn(path.join(folder, 'snapshots'));
    await repository.keys.add(new Secret('another'));
    const other = (await filesIn(path.join(folder, 'keys'))).find(
      (id) => id !== repository.keys.current,
    );
    const indexes = await filesIn(path.join(folder, 'index'));
    for (const file of [
      `snapshots/${snapshot}`,
      `keys/${other}`,
      `index/${indexes.at(-1)}`,
      'holdfast/points/a',
      'holdfast/copies/holdfast/points/a',
    ]) {
      await tamper(path.join(folder, file), flipByte(30));
    }
    const report = await checkRepository(repository, { readData: true });
    expect(report.problems).toEqual(
      expect.arrayContaining([
        { kind: 'snapshot-damaged', id: snapshot, what: expect.stringContaining('is damaged') },
        { kind: 'index-damaged', id: indexes.at(-1), what: expect.stringContaining('is damaged') },
        {
          kind: 'own-file-damaged',
          id: 'holdfast/points/a',
          what: expect.stringContaining('holdfast/points/a is damaged'),
        },
      ]),
    );
    expect(report.mended).toEqual([{ name: `keys/${other}`, what: expect.any(String) }]);
    // The format, what is whole of the points, and the note of the mend.
    expect(report.checked.ownFiles).toBe(3);
    expect(report.checked.snapshots).toBe(2);
  });
});
