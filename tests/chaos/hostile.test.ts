/**
 * A repository in the hands of somebody hostile: who owns the bucket but not the key, and who owns the key too. Nothing
 * is written outside of a restore's target, nothing takes memory or time without bound, and nothing but a HoldfastError
 * comes out of it.
 */
import { hash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { HoldfastError, randomBytes, Secret } from '#base';
import { dump, restoreTree } from '#recovery';
import {
  checkRepository,
  createRepository,
  findEntries,
  openRepository,
  openStorage,
  openWriter,
  type Repository,
  treeEntries,
} from '#repository';
import { compress } from '../../src/repository/crypto/compression.ts';
import { Sealer } from '../../src/repository/crypto/sealer.ts';

const PASSWORD = new Secret('of the victim');
const scrypt = { N: 1024, r: 8, p: 1 };
const MODES = ['refuse', 'replace', 'skip'] as const;

let scratch: string;
let repository: Repository;
let target: string;
let outside: string;
let targets = 0;

beforeAll(async () => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-hostile-'));
  const storage = await openStorage(path.join(scratch, 'repository'));
  repository = await createRepository({ storage, password: PASSWORD, scrypt });
});

afterAll(async () => {
  await repository.close();
  fs.rmSync(scratch, { recursive: true, force: true });
});

beforeEach(() => {
  targets += 1;
  const arena = path.join(scratch, `arena-${targets}`);
  target = path.join(arena, 'target');
  outside = path.join(arena, 'outside');
  fs.mkdirSync(outside, { recursive: true });
  fs.writeFileSync(path.join(outside, 'canary'), 'alive');
});

afterEach(() => {
  const arena = path.dirname(outside);
  expect(fs.readdirSync(outside)).toEqual(['canary']);
  expect(fs.readFileSync(path.join(outside, 'canary'), 'utf8')).toBe('alive');
  expect(fs.readdirSync(arena).filter((name) => name !== 'target')).toEqual(['outside']);
});

type Fields = Record<string, unknown>;

const TIME = '2020-01-01T00:00:00Z';

/** A node as its JSON, with whatever name. */
function node(name: string, fields: Fields): string {
  const times = { mtime: TIME, atime: TIME, ctime: TIME, uid: 0, gid: 0 };
  return JSON.stringify({ name, ...times, content: null, ...fields });
}

const file = (name: string, content: readonly string[] = [], more: Fields = {}) =>
  node(name, { type: 'file', mode: 0o644, content, ...more });
const folder = (name: string, subtree: string) =>
  node(name, { type: 'dir', mode: 2 ** 31 + 0o755, subtree });
const link = (name: string, linktarget: string) =>
  node(name, { type: 'symlink', mode: 2 ** 27 + 0o777, linktarget });

const treeOf = (nodes: readonly string[]) => Buffer.from(`{"nodes":[${nodes.join(',')}]}\n`);

/** Saves trees of which each may name those before it. Resolves to the id of the last one. */
async function saveTrees(...makers: ((ids: readonly string[]) => string[])[]): Promise<string> {
  const writer = await openWriter(repository, { workers: 1 });
  const ids: string[] = [];
  for (const make of makers) ids.push(await writer.saveTree([treeOf(make(ids))]));
  await writer.finish();
  await repository.loadIndex();
  return ids.at(-1) as string;
}

async function saveData(bytes: Buffer): Promise<string> {
  const writer = await openWriter(repository, { workers: 1 });
  const { ids } = await writer.saveStream([bytes] as unknown as AsyncIterable<Buffer>, {
    kind: 'content',
  });
  await writer.finish();
  return ids.toString('hex', 0, 32);
}

/** Restores by each mode, with something planted in the target before; what it rejects with must be ours. */
async function restoreEach(tree: string, plant: (at: string) => void = () => {}): Promise<void> {
  for (const existing of MODES) {
    fs.rmSync(target, { recursive: true, force: true });
    fs.mkdirSync(target);
    plant(target);
    try {
      await restoreTree({ repository, tree, target, existing });
    } catch (error) {
      expect(error).toBeInstanceOf(HoldfastError);
    }
    expect(fs.readdirSync(outside)).toEqual(['canary']);
  }
}

describe('with the key, a restore writes nothing outside of its target', () => {
  test.each(['..', '.', '', '/', 'a/b', '/etc/x', '../outside/canary', 'a\0b', '..\\x00'])(
    'for the name %j',
    async (name) => {
      const content = [await saveData(Buffer.from('evil'))];
      const tree = await saveTrees(
        () => [file('inner', content)],
        ([inner]) => [folder(name, inner as string)],
        () => [file(name, content)],
        ([, asFolder, asFile]) => [folder('x', asFolder as string), folder('y', asFile as string)],
      );
      await restoreEach(tree);
    },
  );

  test('where a link and a folder, or a link and a file, have one name', async () => {
    const content = [await saveData(Buffer.from('evil'))];
    const orders = (inner: string) => {
      const [asLink, asFolder, asFile] = [
        link('a', outside),
        folder('a', inner),
        file('a', content),
      ];
      return [
        [asLink, asFolder],
        [asFolder, asLink],
        [asLink, asFile],
        [asFile, asLink],
        [link('b', outside), asFolder, asLink],
        [asFolder, file('b', content), asLink],
      ];
    };
    for (let at = 0; at < 6; at += 1) {
      const tree = await saveTrees(
        () => [file('canary', content), file('new', content)],
        ([inner]) => orders(inner as string)[at] as string[],
      );
      await restoreEach(tree);
      const listed = async () => {
        for await (const _entry of treeEntries(repository, tree));
      };
      await expect(listed()).rejects.toMatchObject({ code: 'repository/tree-damaged' });
    }
  });

  test('where links lie in the target already', async () => {
    const content = [await saveData(Buffer.from('evil'))];
    const tree = await saveTrees(
      () => [file('canary', content), file('new', content)],
      ([inner]) => [folder('a', inner as string), file('canary', content)],
    );
    await restoreEach(tree, (at) => {
      fs.symlinkSync(outside, path.join(at, 'a'));
      fs.symlinkSync(path.join(outside, 'canary'), path.join(at, 'canary'));
    });
  });

  test('where names of one file are a link and a device', async () => {
    const shared = { inode: 7, device_id: 7, links: 3 };
    const tree = await saveTrees(() => [
      node('a', { type: 'symlink', mode: 2 ** 27, linktarget: outside, ...shared }),
      file('b', [], shared),
      node('c', { type: 'chardev', mode: 2 ** 26 + 2 ** 21, device: 259, ...shared }),
    ]);
    await restoreEach(tree);
  });

  test('where it is deeper than any path, and it ends', async () => {
    const levels = Array.from({ length: 1200 }, () => ([...ids]: readonly string[]) => [
      folder('deeper-and-deeper', ids.at(-1) as string),
    ]);
    const tree = await saveTrees(() => [file('bottom')], ...levels);
    fs.mkdirSync(target);
    const result = await restoreTree({ repository, tree, target });
    expect(result.problemCount).toBeGreaterThan(0);
    expect(result.problems[0]?.what).toMatch(/ENAMETOOLONG/);
    fs.rmSync(target, { recursive: true });
  });
});

describe('with the key, memory and time stay bounded', () => {
  /** 2^40 paths out of 41 small trees. */
  const bomb = () =>
    saveTrees(
      () => [file('bottom')],
      ...Array.from({ length: 40 }, () => ([...ids]: readonly string[]) => [
        folder('a', ids.at(-1) as string),
        folder('b', ids.at(-1) as string),
      ]),
    );

  test('over trees that repeat without end: all can be stopped, and a check reads each once', async () => {
    const tree = await bomb();
    const stopAfter = (count: number) => {
      const stop = new AbortController();
      let seen = 0;
      return {
        signal: stop.signal,
        tick: () => {
          seen += 1;
          if (seen === count) stop.abort(new Error('enough'));
        },
      };
    };
    const walk = stopAfter(2_000);
    const walked = async () => {
      for await (const _entry of treeEntries(repository, tree, { signal: walk.signal }))
        walk.tick();
    };
    await expect(walked()).rejects.toThrow('enough');
    const stop = stopAfter(3);
    fs.mkdirSync(target);
    const { signal } = stop;
    const restored = restoreTree({ repository, tree, target, signal, progress: stop.tick });
    await expect(restored).rejects.toThrow('enough');
    const unpacked = stopAfter(100);
    const given = await dump({ repository, tree, path: Buffer.of(), signal: unpacked.signal });
    const dumped = async () => {
      for await (const _piece of given.bytes) unpacked.tick();
    };
    await expect(dumped()).rejects.toThrow('enough');
    const { id } = await repository.snapshots.save({ time: 1, tree, paths: ['/'] });
    const report = await checkRepository(repository);
    expect(report.checked.trees).toBeLessThan(100);
    await repository.snapshots.remove(id);
  });

  test('over blobs that an index calls huge', async () => {
    const sealer = new Sealer(repository.masterKey);
    const plain = Buffer.alloc(200 * 1024 * 1024);
    const zeros = compress(plain);
    const sealed = sealer.seal(zeros);
    const count = 2000;
    const ids = Array.from({ length: count }, () => randomBytes(32));
    ids[0] = hash('sha256', plain, 'buffer');
    const blobs = ids.map((id, at) => ({
      type: 'data' as const,
      id,
      offset: at === 0 ? 0 : sealed.length - 40,
      length: at === 0 ? sealed.length : 40,
      compressed: true,
      // The first is a bomb: it says to be small, and isn't.
      plainLength: at === 0 ? 100 : 0xffff_fff0 - at,
    }));
    const packId = hash('sha256', sealed, 'hex');
    await repository.storage.write(`data/${packId.slice(0, 2)}/${packId}`, [sealed]);
    await repository.saveIndex([{ id: packId, blobs }]);
    const before = process.memoryUsage.rss();
    const codes = new Set<string>();
    await repository.readBlobs('data', Buffer.concat(ids), () => expect.fail('nothing is whole'), {
      onDamaged: (_id, error) => {
        codes.add((error as HoldfastError).code);
      },
    });
    expect([...codes].sort()).toEqual(['repository/blob-damaged', 'repository/blob-too-large']);
    expect(process.memoryUsage.rss() - before).toBeLessThan(400 * 1024 * 1024);
  });

  test('over numbers that no file has', async () => {
    const content = [await saveData(Buffer.from('x'))];
    const tree = await saveTrees(() => [
      file('content-lost', ['ab'.repeat(32)], { size: 2 ** 62 }),
      file('ids', content, { uid: 4_294_967_295, gid: 4_294_967_295, links: 2 ** 63 }),
      file('size', content, { size: 2 ** 63 }),
      node('time', { type: 'file', mode: 0, content: [], mtime: '9999-12-31T23:59:59Z' }),
    ]);
    await restoreEach(tree);
    fs.rmSync(target, { recursive: true, force: true });
  });

  test('a search goes on over what it cannot read', async () => {
    const tree = await saveTrees(
      () => [file('found')],
      ([inner]) => [folder('broken', 'cd'.repeat(32)), folder('whole', inner as string)],
    );
    const snapshot = await repository.snapshots.save({ time: 1, tree, paths: ['/'] });
    const damaged: string[] = [];
    const found: string[] = [];
    const findings = findEntries(
      repository,
      [snapshot],
      { kinds: ['file'] },
      {
        onDamaged: (_snapshot, at) => damaged.push(at.toString()),
      },
    );
    for await (const finding of findings) found.push(finding.path.toString());
    expect([damaged, found]).toEqual([['/broken'], ['/whole/found']]);
    await repository.snapshots.remove(snapshot.id);
  });
});

describe('with the bucket but not the key', () => {
  test('junk, swapped and cut files are named, and what is whole is still read', async () => {
    const copy = path.join(path.dirname(scratch), `${path.basename(scratch)}-bucket`);
    const content = [await saveData(randomBytes(100_000))];
    const tree = await saveTrees(() => [file('kept', content)]);
    const kept = await repository.snapshots.save({ time: 1, tree, paths: ['/'] });
    fs.cpSync(path.join(scratch, 'repository'), copy, { recursive: true });
    const plant = (kind: string, bytes: Buffer) => {
      const id = hash('sha256', bytes, 'hex');
      const name = kind === 'data' ? `data/${id.slice(0, 2)}/${id}` : `${kind}/${id}`;
      fs.mkdirSync(path.dirname(path.join(copy, name)), { recursive: true });
      fs.writeFileSync(path.join(copy, name), bytes);
    };
    const other = fs.readFileSync(path.join(copy, 'snapshots', kept.id));
    for (const kind of ['keys', 'snapshots', 'data', 'holdfast/points/shop/production']) {
      for (const bytes of [Buffer.alloc(0), Buffer.from('null'), randomBytes(500), other]) {
        plant(kind, bytes);
      }
    }
    const greedy = { created: TIME, kdf: 'scrypt', N: 2 ** 30, r: 8, p: 1, salt: '', data: '' };
    plant('keys', Buffer.from(JSON.stringify(greedy)));
    const opened = await openRepository({
      storage: await openStorage(copy),
      password: PASSWORD,
      scrypt,
    });
    const damaged: string[] = [];
    const snapshots = await opened.snapshots.list({}, (id) => damaged.push(id));
    expect(snapshots.map(({ id }) => id)).toContain(kept.id);
    expect(damaged).toHaveLength(3);
    await opened.loadIndex();
    fs.mkdirSync(target);
    const result = await restoreTree({ repository: opened, tree, target });
    expect(result.problems).toEqual([]);
    // An index that can't be read is named: what it told of is not known.
    plant('index', randomBytes(500));
    opened.dropIndex();
    await expect(opened.loadIndex()).rejects.toMatchObject({ code: 'repository/file-damaged' });
    await opened.close();
    fs.rmSync(copy, { recursive: true });
    await repository.snapshots.remove(kept.id);
  });
});
