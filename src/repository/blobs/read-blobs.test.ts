import fs from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { randomBytes } from '#base';
import { packName } from '../names.ts';
import type { Repository } from '../repository.ts';
import {
  flipByte,
  newFolder,
  open,
  QUICK,
  quickGolden,
  restic,
  tamper,
} from '../restic.fixture.ts';

async function loaded(folder: string): Promise<Repository> {
  const repository = await open(folder, QUICK);
  await repository.loadIndex();
  return repository;
}

function dataIds(repository: Repository): Buffer[] {
  const ids: Buffer[] = [];
  for (const { blobs } of repository.index.packs()) {
    for (const { type, id } of blobs) if (type === 'data') ids.push(Buffer.from(id));
  }
  return ids;
}

describe('many blobs', () => {
  test('come once each, from threads, the same as one by one', async () => {
    const folder = await quickGolden('restic-0.14-max');
    const content = path.join(await newFolder(), 'many');
    await fs.mkdir(content);
    for (let i = 0; i < 60; i += 1)
      await fs.writeFile(path.join(content, `${i}`), randomBytes(i * 6_000 + 1));
    await restic(folder, QUICK, ['backup', content]);
    const repository = await loaded(folder);
    const ids = dataIds(repository);
    expect(ids.length).toBeGreaterThan(60);
    const got = new Map<string, Buffer>();
    await repository.readBlobs('data', Buffer.concat([...ids, ...ids]), (id, bytes) => {
      expect(got.has(id.toString('hex'))).toBe(false);
      got.set(id.toString('hex'), Buffer.from(bytes));
    });
    expect(got.size).toBe(ids.length);
    for (const id of ids) {
      const bytes = await repository.readBlob('data', id);
      expect(got.get(id.toString('hex'))?.equals(bytes)).toBe(true);
    }
  });

  test('wait for those who take them, within the bound', async () => {
    const repository = await loaded(await quickGolden('restic-0.14-max'));
    let inFlight = 0;
    const take = async () => {
      inFlight += 1;
      expect(inFlight).toBeLessThan(100);
      await new Promise(setImmediate);
      inFlight -= 1;
    };
    await repository.readBlobs('data', Buffer.concat(dataIds(repository)), take, {
      maxBytesInFlight: 1,
    });
    expect(inFlight).toBe(0);
  });

  test('end with the error of whoever takes them, and when aborted', async () => {
    const repository = await loaded(await quickGolden('restic-0.14-max'));
    const ids = Buffer.concat(dataIds(repository));
    const refuse = async () => {
      throw new Error('target is full');
    };
    await expect(repository.readBlobs('data', ids, refuse)).rejects.toThrow('target is full');
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(repository.readBlobs('data', ids, () => {}, { signal })).rejects.toThrow('enough');
  });
});

describe('a damaged pack', () => {
  test('costs its damaged blob alone, named with its pack', async () => {
    const folder = await quickGolden('restic-0.14-max');
    const repository = await loaded(folder);
    const ids = dataIds(repository);
    const victim = ids[0] as Buffer;
    const where = repository.index.lookup('data', victim);
    if (!where) throw new Error('the blob must be there');
    await tamper(path.join(folder, packName(where.packId)), flipByte(where.offset + 20));
    const whole: string[] = [];
    const damaged: [string, string][] = [];
    await repository.readBlobs(
      'data',
      Buffer.concat(ids),
      (id) => void whole.push(id.toString('hex')),
      {
        onDamaged: (id, error) => void damaged.push([id.toString('hex'), error.message]),
      },
    );
    expect(whole).toHaveLength(ids.length - 1);
    expect(damaged).toEqual([
      [
        victim.toString('hex'),
        `data blob ${victim.toString('hex')} in pack ${where.packId} is damaged: the bytes are not what was once written with this key`,
      ],
    ]);
    await expect(repository.readBlob('data', victim)).rejects.toMatchObject({
      code: 'repository/blob-damaged',
    });
  });

  test('does no harm where another pack has the blob', async () => {
    const folder = await quickGolden('restic-0.14-max');
    const repository = await loaded(folder);
    const victim = dataIds(repository)[0] as Buffer;
    const where = repository.index.lookup('data', victim);
    if (!where) throw new Error('the blob must be there');
    const pack = await repository.storage.read(packName(where.packId));
    // The same bytes under another name: a copy with damage of its own, elsewhere.
    const copyId = 'ee'.repeat(32);
    await repository.storage.write(packName(copyId), [pack]);
    repository.index.addPack(copyId, repository.index.packContents(where.packId));
    const expected = await repository.readBlob('data', victim);
    await fs.rm(path.join(folder, packName(where.packId)), { force: true });
    expect(await repository.readBlob('data', victim)).toEqual(expected);
    const got: Buffer[] = [];
    await repository.readBlobs('data', victim, (_id, bytes) => void got.push(Buffer.from(bytes)));
    expect(got).toEqual([expected]);
  });

  test('and a blob that no index knows, are told apart', async () => {
    const repository = await loaded(await quickGolden('restic-0.14-max'));
    await expect(repository.readBlob('data', 'ab'.repeat(32))).rejects.toMatchObject({
      code: 'repository/blob-missing',
    });
    await expect(
      repository.readBlobs('data', Buffer.alloc(32, 0xab), () => {}),
    ).rejects.toMatchObject({ code: 'repository/blob-missing' });
  });
});

test('a reader that was open while somebody else pruned finds what moved', async () => {
  const folder = await quickGolden('restic-0.14-max');
  const reader = await loaded(folder);
  const [latest] = await reader.snapshots.list();
  await restic(folder, QUICK, ['forget', '--keep-last', '1', '--group-by', '']);
  await restic(folder, QUICK, ['prune', '--max-unused', '0']);
  const tree = await reader.readBlob('tree', latest?.tree ?? '');
  expect(tree.toString()).toContain('"nodes"');
});
