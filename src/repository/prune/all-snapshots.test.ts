import { expect, it } from 'vitest';
import { randomBytes, Secret } from '#base';
import { createRepository } from '../open.ts';
import type { Repository } from '../repository.ts';
import { readFiles, saveFiles } from '../saved-files.fixture.ts';
import { FaultyStorage } from '../storage/faulty.ts';
import { MemoryStorage } from '../storage/memory.ts';
import { pruneInPhases } from './phases.ts';
import { prune } from './prune.ts';

const ways: Record<string, (repository: Repository) => Promise<unknown>> = {
  alone: (repository) => prune(repository, { maxUnused: 0 }),
  'in phases': async (repository) => {
    await pruneInPhases(repository, { graceMs: 0, maxUnused: 0 });
    await pruneInPhases(repository, { graceMs: 0, maxUnused: 0 });
  },
};

it.each(Object.entries(ways))(
  'a prune %s spares what a snapshot needs that the storage does not list yet',
  async (_, pruneSo) => {
    const storage = new FaultyStorage(new MemoryStorage());
    const scrypt = { N: 1024, r: 8, p: 1 };
    const repository = await createRepository({ storage, password: new Secret('stale'), scrypt });
    await repository.snapshots.list();
    const content = randomBytes(50_000);
    const { tree } = await saveFiles(repository, new Map([['file', content]]));
    storage.addRule({
      on: 'list',
      name: /^snapshots\//,
      fault: { kind: 'stale-list' },
      times: Number.POSITIVE_INFINITY,
    });
    expect(await repository.snapshots.list()).toEqual([]);
    await pruneSo(repository);
    await repository.loadIndex();
    expect(await readFiles(repository, tree)).toEqual(new Map([['file', content]]));
    await repository.close();
  },
);
