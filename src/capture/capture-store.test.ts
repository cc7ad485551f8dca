import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FileMetadata, type Progress, quietLogger, Secret, silent } from '#base';
import {
  type CaptureRecord,
  createRepository,
  decodeTree,
  findCapture,
  listCaptures,
  openBlockMap,
  openStorage,
  type Repository,
  type TreeNode,
} from '#repository';
import { type CaptureEvent, findSource, type Source, type StoreSettings } from '#sources';
import { captureStore } from './capture-store.ts';
import { removeUnrecorded } from './snapshot/tags.ts';

const filesSource = findSource('files') as Source;

let home: string;
let repository: Repository;
let store: StoreSettings;
let folder: string;
let stores = 0;

beforeAll(async () => {
  home = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-capture-'));
  repository = await createRepository({
    storage: await openStorage(path.join(home, 'repository')),
    password: new Secret('capture'),
    scrypt: { N: 1024, r: 8, p: 1 },
  });
});
afterAll(async () => {
  await repository.close();
  await fs.rm(home, { recursive: true, force: true });
});
beforeEach(async () => {
  stores += 1;
  folder = path.join(home, `uploads-${stores}`);
  await fs.mkdir(path.join(folder, 'kept/inner'), { recursive: true });
  await fs.mkdir(path.join(folder, 'busy'));
  await fs.writeFile(path.join(folder, 'kept/inner/a'), 'aaaa');
  await fs.writeFile(path.join(folder, 'busy/b'), 'bb');
  await fs.chmod(folder, 0o2750);
  store = {
    name: `uploads-${stores}`,
    environment: 'shop',
    stage: 'production',
    rpoMs: 5000,
    protect: { kind: 'every', everyMs: 60_000 },
    own: { path: folder, exclude: [], oneFileSystem: false },
  };
});

const context = () => ({
  log: quietLogger,
  progress: silent,
  signal: new AbortController().signal,
  stateFolder: home,
});

const address = () => ({ environment: 'shop', stage: 'production', store: store.name });

function capture(options: { previous?: CaptureRecord; changedDirectories?: Set<string> } = {}) {
  return captureStore({ repository, source: filesSource, store, context: context(), ...options });
}

async function nodesOf(record: CaptureRecord): Promise<Map<string, TreeNode>> {
  await repository.loadIndex();
  const nodes = new Map<string, TreeNode>();
  const visit = async (tree: string, prefix: string) => {
    for (const node of decodeTree(await repository.readBlob('tree', tree))) {
      nodes.set(prefix + node.name.toString(), node);
      if (node.subtree) await visit(node.subtree, `${prefix}${node.name.toString()}/`);
    }
  };
  await visit((await repository.snapshots.load(record.snapshot)).tree, '');
  return nodes;
}

describe('capture of a store', () => {
  it('stores a snapshot that restic restores, and a record with all that a recovery needs', async () => {
    const record = await capture();
    expect(await findCapture(repository, address(), record.id)).toEqual(record);
    expect(record).toMatchObject({
      source: 'files',
      kind: 'files',
      problemCount: 0,
      root: { permissions: 0o2750, uid: process.getuid?.() },
      statistics: { files: 2, directories: 4, bytes: 6 },
    });
    const snapshot = await repository.snapshots.load(record.snapshot);
    expect(snapshot).toMatchObject({
      paths: [folder],
      hostname: os.hostname(),
      tags: ['holdfast', 'env:shop/production', `store:${store.name}`, `capture:${record.id}`],
    });
    const target = path.join(home, `target-${stores}`);
    const args = ['-r', path.join(home, 'repository'), '--no-cache'];
    const env = { ...process.env, RESTIC_PASSWORD: 'capture', HOME: home };
    execFileSync('restic', [...args, 'restore', record.snapshot, '--target', target], { env });
    execFileSync('restic', [...args, 'check', '--read-data'], { env });
    expect(await fs.readFile(path.join(target, 'kept/inner/a'), 'utf8')).toBe('aaaa');
  });

  it('takes unchanged folders from the capture before, and counts them all the same', async () => {
    const first = await capture();
    await fs.writeFile(path.join(folder, 'busy/c'), 'ccc');
    const changedDirectories = new Set(['busy']);
    const second = await capture({ previous: first, changedDirectories });
    const nodes = await nodesOf(second);
    expect([...nodes.keys()].sort()).toEqual(
      ['busy', 'busy/b', 'busy/c', 'kept', 'kept/inner', 'kept/inner/a'].sort(),
    );
    expect(nodes.get('kept')?.subtree).toBe((await nodesOf(first)).get('kept')?.subtree);
    expect(second.statistics).toMatchObject({ files: 3, bytes: 9 });
    const { directories, files, bytes } = (await capture()).statistics;
    expect(second.statistics).toMatchObject({ directories, files, bytes });
    expect((await repository.snapshots.load(second.snapshot)).parent).toBe(first.snapshot);
  });

  it('looks at everything again after a capture with problems', async () => {
    const first = await capture();
    await fs.writeFile(path.join(folder, 'kept/inner/late'), 'l');
    const previous = { ...first, problemCount: 1 };
    const second = await capture({ previous, changedDirectories: new Set(['busy']) });
    expect((await nodesOf(second)).has('kept/inner/late')).toBe(true);
  });

  it('holds its lock on for the next one where a watcher tells what changed, but against nobody here', async () => {
    const first = await capture();
    const locks = async () => (await repository.locks.list()).locks.map(({ id }) => id);
    await fs.writeFile(path.join(folder, 'busy/b'), 'changed once');
    const second = await capture({ previous: first, changedDirectories: new Set(['busy']) });
    const held = await locks();
    expect(held).toHaveLength(1);
    await fs.writeFile(path.join(folder, 'busy/b'), 'changed twice');
    const third = await capture({ previous: second, changedDirectories: new Set(['busy']) });
    expect(await locks()).toEqual(held);
    expect((await nodesOf(third)).get('busy/b')?.sizeBytes).toBe(13n);
    await (await repository.lock('exclusive')).release();
    expect(await locks()).toEqual([]);
  });

  it('leaves nothing behind but unused blobs when the source fails, and no lock', async () => {
    const before = await repository.snapshots.ids();
    const failing: Source = {
      ...filesSource,
      capture: async (...args) => {
        const real = await filesSource.capture(...args);
        return {
          ...real,
          outcome: async () => {
            throw new Error('not to be trusted');
          },
        };
      },
    };
    await expect(
      captureStore({ repository, source: failing, store, context: context() }),
    ).rejects.toThrow('not to be trusted');
    expect(await repository.snapshots.ids()).toEqual(before);
    expect(await listCaptures(repository, address())).toEqual([]);
    await (await repository.lock('exclusive')).release();
  });

  it('closes what was begun where the lock is refused', async () => {
    const place = path.join(home, 'unlockable');
    const unlockable = await createRepository({
      storage: await openStorage(place),
      password: new Secret('capture'),
      scrypt: { N: 1024, r: 8, p: 1 },
    });
    await fs.rm(path.join(place, 'locks'), { recursive: true, force: true });
    await fs.writeFile(path.join(place, 'locks'), 'no folder');
    const closed: string[] = [];
    const streaming = streamingSource(Buffer.alloc(10));
    const source: Source = {
      ...streaming,
      capture: async (...words) => ({
        ...(await streaming.capture(...words)),
        close: async () => void closed.push('capture'),
      }),
    };
    const captured = captureStore({ repository: unlockable, source, store, context: context() });
    await expect(captured).rejects.toThrow(/locks/);
    expect(closed).toEqual(['capture']);
    await unlockable.close();
  });

  it('cuts streams into fixed chunks and maps their blocks, whatever the order of entries', async () => {
    const pages = Buffer.alloc(100_000);
    for (let at = 0; at < pages.length; at += 4) pages.writeUInt32LE(at, at);
    const record = await captureStore({
      repository,
      source: streamingSource(pages),
      store,
      context: context(),
    });
    expect(record.chunkSizeBytes).toBe(8192);
    expect((await nodesOf(record)).get('base/1/2')?.sizeBytes).toBe(100_000n);
    const map = await openBlockMap(repository, record.blockMap as string);
    const file = map.find(Buffer.from('base/1/2'));
    if (!file) throw new Error('the file is not mapped');
    const id = await map.blockId(file, 7);
    expect(await repository.readBlob('data', id)).toEqual(pages.subarray(7 * 8192, 8 * 8192));
    expect([...(await nodesOf(record)).keys()].sort()).toEqual(
      ['base', 'base/1', 'base/1/2', 'empty', 'global'].sort(),
    );
  });

  it('removes what a crash left without a record, but not what may be under way', async () => {
    const record = await capture();
    const saved = await repository.snapshots.load(record.snapshot);
    const tags = [...saved.tags.slice(0, 3), 'capture:20200101T000000000Z-lost'];
    const young = await repository.snapshots.save({ ...saved, time: Date.now(), tags });
    const old = await repository.snapshots.save({ ...saved, time: 1_577_836_800_000, tags });
    expect(await removeUnrecorded(repository, address())).toEqual([old.id]);
    const left = await repository.snapshots.ids();
    expect(left).toContain(young.id);
    expect(left).toContain(record.snapshot);
  });
});

it('shows no progress beyond the whole where more comes than was expected', async () => {
  const told: Progress[] = [];
  const progress = (one: Progress) => told.push(one);
  await captureStore({
    repository,
    source: streamingSource(Buffer.alloc(100_000, 'page'), 10),
    store,
    context: { ...context(), progress },
  });
  expect(told.length).toBeGreaterThan(0);
  for (const { doneBytes, totalBytes } of told) {
    expect(doneBytes).toBeGreaterThan(10);
    expect(totalBytes).toBe(doneBytes);
  }
});

/** A source like a database: streams, parents after or never, no `leave`. */
function streamingSource(pages: Buffer, expectedBytes = pages.length): Source {
  const metadata: FileMetadata = {
    kind: 'file',
    permissions: 0o600,
    mtimeNs: 1n,
    atimeNs: 1n,
    ctimeNs: 1n,
    uid: 0,
    gid: 0,
    user: '',
    group: '',
    inode: 0n,
    deviceId: 0n,
    links: 1n,
    sizeBytes: BigInt(pages.length),
    xattrs: [],
  };
  const directory = { ...metadata, kind: 'dir' as const, sizeBytes: 0n };
  const nothing = { from: 'nothing' } as const;
  async function* bytes() {
    for (let at = 0; at < pages.length; at += 1000) yield pages.subarray(at, at + 1000);
  }
  async function* none() {}
  async function* events(): AsyncGenerator<CaptureEvent> {
    const stream = { from: 'stream' as const, bytes: bytes(), chunkSizeBytes: 8192 };
    yield { kind: 'entry', path: Buffer.from('base/1/2'), metadata, content: stream };
    yield { kind: 'entry', path: Buffer.from('global'), metadata: directory, content: nothing };
    yield {
      kind: 'entry',
      path: Buffer.from('empty'),
      metadata: { ...metadata, sizeBytes: 0n },
      content: { from: 'stream', bytes: none(), chunkSizeBytes: 8192 },
    };
    yield { kind: 'entry', path: Buffer.from('base/1'), metadata: directory, content: nothing };
  }
  return {
    ...filesSource,
    type: 'streaming',
    capture: async () => ({
      kind: 'base',
      root: '/streaming/orders',
      expectedBytes,
      events,
      outcome: async () => ({
        start: { line: 1, offset: 5n },
        end: { line: 1, offset: 9n },
        clock: { offsetMs: 0, uncertaintyMs: 1 },
        facts: { version: 150018 },
      }),
      close: async () => {},
    }),
  };
}
