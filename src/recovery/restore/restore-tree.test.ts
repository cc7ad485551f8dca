import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FileMetadata, findUser, readMetadata, Secret } from '#base';
import {
  createRepository,
  encodeTree,
  openStorage,
  openWriter,
  packName,
  type Repository,
  type RepositoryWriter,
  type TreeNode,
} from '#repository';
import type { RestoreRequest } from './request.ts';
import { restoreTree } from './restore-tree.ts';

const isRoot = process.geteuid?.() === 0;
const MIB = 1024 * 1024;

let repository: Repository;
let folder: string;
let target: string;

beforeAll(async () => {
  repository = await createRepository({
    storage: await openStorage('memory:restore-tree'),
    password: new Secret('restore'),
    scrypt: { N: 1024, r: 8, p: 1 },
  });
});
afterAll(() => repository.close());

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-restore-'));
  target = `${folder}/target`;
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

// ---------------------------------------------------------------- trees as a writer makes them

type Made = Omit<TreeNode, 'name'>;

function metadataOf(kind: FileMetadata['kind'], permissions: number): FileMetadata {
  return {
    kind,
    permissions,
    mtimeNs: 1_600_000_000_000_000_001n,
    atimeNs: 1_600_000_000_000_000_001n,
    ctimeNs: 0n,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    user: '',
    group: '',
    inode: 0n,
    deviceId: 0n,
    links: 1n,
    sizeBytes: 0n,
    xattrs: [],
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

class TestTree {
  readonly #writer: RepositoryWriter;
  constructor(writer: RepositoryWriter) {
    this.#writer = writer;
  }
  async file(content: string | Buffer, more: Partial<FileMetadata> = {}): Promise<Made> {
    const bytes = Buffer.from(content);
    const chunking = { kind: 'fixed', sizeBytes: 8 * MIB } as const;
    const saved = await this.#writer.saveStream(once(bytes), chunking);
    const sizeBytes = BigInt(bytes.length);
    return { ...metadataOf('file', 0o644), sizeBytes, ...more, content: saved.ids };
  }
  async folder(entries: Record<string, Made>, more: Partial<FileMetadata> = {}): Promise<Made> {
    return { ...metadataOf('dir', 0o755), ...more, subtree: await this.tree(entries) };
  }
  async tree(entries: Record<string, Made>): Promise<string> {
    const nodes = Object.entries(entries).map(([name, made]) => ({
      ...made,
      name: Buffer.from(name),
    }));
    nodes.sort((a, b) => Buffer.compare(a.name, b.name));
    return await this.#writer.saveTree(encodeTree(nodes));
  }
  async forged(json: string): Promise<Made> {
    const subtree = await this.#writer.saveTree([Buffer.from(json)]);
    return { ...metadataOf('dir', 0o755), subtree };
  }
}

async function save(make: (tree: TestTree) => Promise<string>): Promise<string> {
  const writer = await openWriter(repository, { workers: 1 });
  const tree = await make(new TestTree(writer));
  await writer.finish();
  await repository.loadIndex();
  return tree;
}

function restore(tree: string, more: Partial<RestoreRequest> = {}) {
  return restoreTree({ repository, tree, target, ...more });
}

function read(name: string): string {
  return fs.readFileSync(`${target}/${name}`, 'utf8');
}

/** Changes one byte of a blob where it lies. */
async function damage(type: 'data' | 'tree', id: Uint8Array): Promise<void> {
  const location = repository.index.lookup(type, id);
  if (!location) throw new Error('no such blob');
  const name = packName(location.packId);
  const pack = Buffer.from(await repository.storage.read(name));
  const at = location.offset + location.length - 20;
  pack.writeUInt8(pack.readUInt8(at) ^ 1, at);
  await repository.storage.write(name, [pack]);
}

/** By all threads of this process, from wherever. */
function bytesReadHere(): number {
  if (process.platform !== 'linux') return 0;
  return Number(/^rchar: (\d+)/.exec(fs.readFileSync('/proc/self/io', 'utf8'))?.[1]);
}

const NOTHING_WRONG = { problems: [], problemCount: 0, notes: [] };

// ---------------------------------------------------------------- contents

describe('contents', () => {
  it('of 5 GiB that are mostly zeros are brought up to date without reading their holes', async () => {
    const tree = await save(async (make) => {
      const data = await make.file(
        Buffer.concat([Buffer.alloc(8 * MIB), Buffer.alloc(8 * MIB, 'x')]),
      );
      const zeros = data.content?.subarray(0, 32) ?? Buffer.alloc(0);
      const content = Buffer.concat([data.content ?? zeros, ...Array<Buffer>(639).fill(zeros)]);
      return await make.tree({ sparse: { ...data, content, sizeBytes: BigInt(641 * 8 * MIB) } });
    });
    fs.mkdirSync(target);
    const file = fs.openSync(`${target}/sparse`, 'w+');
    fs.writeSync(file, 'to be zeros again', 1000 * MIB);
    fs.writeSync(file, 'x', 9 * MIB);
    fs.ftruncateSync(file, 5000 * MIB);
    const before = bytesReadHere();
    const result = await restore(tree, { existing: 'update' });
    if (process.platform === 'linux') expect(bytesReadHere() - before).toBeLessThan(128 * MIB);
    expect(result).toMatchObject({ ...NOTHING_WRONG, files: 1 });
    const { size, blocks } = fs.fstatSync(file);
    expect(size).toBe(641 * 8 * MIB);
    expect(blocks * 512).toBeLessThan(32 * MIB);
    for (const [at, byte] of [
      [9 * MIB, 'x'],
      [16 * MIB - 1, 'x'],
      [16 * MIB, '\0'],
      [1000 * MIB, '\0'],
    ] as const) {
      const there = Buffer.alloc(1);
      fs.readSync(file, there, 0, 1, at);
      expect(there.toString()).toBe(byte);
    }
    fs.closeSync(file);
  });

  it('of 5 GiB that are mostly zeros come back as holes, quickly', async () => {
    const tree = await save(async (make) => {
      const data = await make.file(
        Buffer.concat([Buffer.alloc(8 * MIB), Buffer.alloc(8 * MIB, 'x')]),
      );
      const zeros = data.content?.subarray(0, 32) ?? Buffer.alloc(0);
      const content = Buffer.concat([...Array<Buffer>(639).fill(zeros), data.content ?? zeros]);
      return await make.tree({ sparse: { ...data, content, sizeBytes: BigInt(641 * 8 * MIB) } });
    });
    const result = await restore(tree);
    expect(result).toMatchObject({ files: 1, bytes: 641 * 8 * MIB, ...NOTHING_WRONG });
    const stat = fs.statSync(`${target}/sparse`);
    expect(stat.size).toBe(641 * 8 * MIB);
    expect(stat.blocks * 512).toBeLessThan(9 * MIB);
    const tail = Buffer.alloc(4);
    const fd = fs.openSync(`${target}/sparse`, 'r');
    fs.readSync(fd, tail, 0, 4, 640 * 8 * MIB - 2);
    fs.closeSync(fd);
    expect(tail).toEqual(Buffer.from('\0\0xx'));
  });

  it('of more pieces than are handled at once are whole', async () => {
    const tree = await save(async (make) => {
      const [one, two] = [await make.file('a'.repeat(300)), await make.file('b'.repeat(200))];
      const pair = Buffer.concat([one.content ?? Buffer.alloc(0), two.content ?? Buffer.alloc(0)]);
      const content = Buffer.concat(Array<Buffer>(10_000).fill(pair));
      return await make.tree({ pieces: { ...one, content, sizeBytes: 5_000_000n }, small: two });
    });
    expect(await restore(tree)).toMatchObject({ files: 2, bytes: 5_000_200, ...NOTHING_WRONG });
    expect(read('pieces') === `${'a'.repeat(300)}${'b'.repeat(200)}`.repeat(10_000)).toBe(true);
    expect(read('small')).toBe('b'.repeat(200));
  });

  it('with short runs of zeros are exact, wherever the runs lie', async () => {
    const zeros = (length: number) => Buffer.alloc(length);
    const pieces = [
      'head',
      zeros(16_384 * 3),
      'x',
      zeros(5_000),
      'y',
      zeros(40_000),
      'tail',
      zeros(20_000),
    ];
    const bytes = Buffer.concat(pieces.map((piece) => Buffer.from(piece)));
    const tree = await save(async (make) => make.tree({ f: await make.file(bytes) }));
    await restore(tree);
    expect(fs.readFileSync(`${target}/f`).equals(bytes)).toBe(true);
  });
});

// ---------------------------------------------------------------- damage

describe('damage', () => {
  it('of a blob is named with its file, and everything else comes back', async () => {
    const lost = Buffer.concat([Buffer.alloc(8 * MIB, 'whole'), Buffer.from('lost')]);
    let second = Buffer.alloc(0);
    const tree = await save(async (make) => {
      const broken = await make.file(lost);
      second = Buffer.from(broken.content?.subarray(32) ?? '');
      return await make.tree({ a: await make.file('before'), broken, z: await make.file('after') });
    });
    await damage('data', second);
    const result = await restore(tree);
    expect(result).toMatchObject({ problemCount: 1, problems: [{ path: 'broken' }] });
    expect(result.problems[0]?.what).toMatch(
      /^damaged in the repository, zeros .* 4 B at offset 8388608/,
    );
    expect([read('a'), read('z')]).toEqual(['before', 'after']);
    expect(fs.statSync(`${target}/broken`).size).toBe(lost.length);
    expect(read('broken').startsWith('wholewhole')).toBe(true);
  });

  it('of an index that lost a blob is named with its file', async () => {
    const tree = await save(async (make) => {
      const file = await make.file('beginning');
      const content = Buffer.concat([file.content ?? Buffer.alloc(0), Buffer.alloc(32, 7)]);
      return await make.tree({
        f: { ...file, content, sizeBytes: 100n },
        g: await make.file('good'),
      });
    });
    const result = await restore(tree);
    expect(result.problems).toMatchObject([
      { path: 'f', what: expect.stringContaining('from offset 9 on') },
    ]);
    expect(read('f')).toBe(`beginning${'\0'.repeat(91)}`);
    expect(read('g')).toBe('good');
  });

  it('of a folder is named, and its siblings come back', async () => {
    let subtree = '';
    const tree = await save(async (make) => {
      const damaged = await make.folder({ inside: await make.file('gone') });
      subtree = damaged.subtree ?? '';
      return await make.tree({
        damaged,
        whole: await make.folder({ inside: await make.file('here') }),
      });
    });
    await damage('tree', Buffer.from(subtree, 'hex'));
    const result = await restore(tree);
    expect(result.problems).toMatchObject([{ path: 'damaged' }]);
    expect(read('whole/inside')).toBe('here');
  });
});

// ---------------------------------------------------------------- the target

describe('the target', () => {
  it('is refused where it is not empty, and nothing in it is touched', async () => {
    fs.mkdirSync(target);
    fs.writeFileSync(`${target}/mine`, 'mine');
    const tree = await save(async (make) => make.tree({ f: await make.file('x') }));
    await expect(restore(tree)).rejects.toMatchObject({
      code: 'recovery/target-not-empty',
      kind: 'invalid',
    });
    expect(fs.readdirSync(target)).toEqual(['mine']);
    await expect(restore(tree, { target: `${target}/mine` })).rejects.toMatchObject({
      code: 'recovery/target-not-a-folder',
    });
  });

  it('keeps or gives up what has the same name, as asked for', async () => {
    const tree = await save(async (make) => {
      const inside = { f: await make.file('restored'), g: await make.file('new') };
      return await make.tree({ d: await make.folder(inside, { permissions: 0o700 }) });
    });
    fs.mkdirSync(`${target}/d`, { recursive: true, mode: 0o755 });
    fs.writeFileSync(`${target}/d/f`, 'mine');
    fs.writeFileSync(`${target}/d/other`, 'other');
    expect(await restore(tree, { existing: 'skip' })).toMatchObject({
      skipped: 1,
      ...NOTHING_WRONG,
    });
    expect([read('d/f'), read('d/g'), read('d/other')]).toEqual(['mine', 'new', 'other']);
    expect(fs.statSync(`${target}/d`).mode & 0o777).toBe(0o755);
    expect(await restore(tree, { existing: 'replace' })).toMatchObject({
      skipped: 0,
      ...NOTHING_WRONG,
    });
    expect([read('d/f'), read('d/g'), read('d/other')]).toEqual(['restored', 'new', 'other']);
    expect(fs.statSync(`${target}/d`).mode & 0o777).toBe(0o700);
  });

  it('is never left through links that lie in it', async () => {
    fs.mkdirSync(`${folder}/outside`);
    fs.writeFileSync(`${folder}/outside/f`, 'untouched');
    fs.mkdirSync(target);
    fs.symlinkSync(`${folder}/outside`, `${target}/d`);
    fs.symlinkSync(`${folder}/outside/f`, `${target}/f`);
    const tree = await save(async (make) => {
      const f = await make.file('restored');
      return await make.tree({ d: await make.folder({ f }), f });
    });
    const skipped = await restore(tree, { existing: 'skip' });
    expect(skipped.problems).toMatchObject([{ path: 'd' }]);
    expect(await restore(tree, { existing: 'replace' })).toMatchObject(NOTHING_WRONG);
    expect([read('d/f'), read('f')]).toEqual(['restored', 'restored']);
    expect(fs.readdirSync(`${folder}/outside`)).toEqual(['f']);
    expect(fs.readFileSync(`${folder}/outside/f`, 'utf8')).toBe('untouched');
  });

  it('keeps a folder that holds something where a file should be', async () => {
    fs.mkdirSync(`${target}/f/inside`, { recursive: true });
    const tree = await save(async (make) => make.tree({ f: await make.file('x') }));
    const result = await restore(tree, { existing: 'replace' });
    expect(result.problems).toMatchObject([
      { path: 'f', what: expect.stringContaining('ENOTEMPTY') },
    ]);
    expect(fs.existsSync(`${target}/f/inside`)).toBe(true);
  });

  it('is not left by forged names', async () => {
    const names = ['..', '../evil', '/evil', 'a/b', '.', ''];
    const tree = await save(async (make) => {
      const entries: Record<string, Made> = { good: await make.file('good') };
      for (const [index, name] of names.entries()) {
        const link = { name, type: 'symlink', linktarget: '/etc' };
        entries[`forged-${index}`] = await make.forged(`${JSON.stringify({ nodes: [link] })}\n`);
      }
      return await make.tree(entries);
    });
    const { problems } = await restore(tree);
    const forged = names.map((_, index) => `forged-${index}`);
    expect(problems.map((problem) => problem.path).sort()).toEqual(forged);
    expect(fs.readdirSync(folder)).toEqual(['target']);
    expect(fs.readdirSync(target, { recursive: true }).sort()).toEqual([...forged, 'good']);
  });

  it.runIf(isRoot)('says so where it is full', async () => {
    const bytes = Buffer.alloc(3 * MIB, 'x');
    const tree = await save(async (make) => make.tree({ f: await make.file(bytes) }));
    fs.mkdirSync(target);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', target]);
    try {
      await expect(restore(tree)).rejects.toMatchObject({
        code: 'recovery/target-full',
        kind: 'failed',
      });
    } finally {
      execFileSync('umount', [target]);
    }
  });

  it('keeps what was restored when it is interrupted, and says why it ended', async () => {
    const tree = await save(async (make) => make.tree({ f: await make.file('x') }));
    const stop = new AbortController();
    stop.abort(new Error('stopped by the test'));
    await expect(restore(tree, { signal: stop.signal })).rejects.toThrow('stopped by the test');
  });
});

// ---------------------------------------------------------------- rights

describe('bringing up to date', () => {
  const noise = (mib: number) => randomBytes(mib * MIB);

  it('writes only what differs, and leaves what has other names alone', async () => {
    const body = noise(2);
    const tree = await save(async (one) =>
      one.tree({
        large: await one.file(body),
        same: await one.file('same'),
        shorter: await one.file('short'),
        linked: await one.file('from the snapshot'),
        link: { ...metadataOf('symlink', 0o777), linkTarget: Buffer.from('large') },
      }),
    );
    await restore(tree);
    const before = fs.statSync(`${target}/large`).ino;
    const changed = Buffer.from(body);
    changed.fill(1, MIB, MIB + 10);
    fs.writeFileSync(`${target}/large`, changed);
    fs.writeFileSync(`${target}/shorter`, 'longer than it was');
    fs.rmSync(`${target}/linked`);
    fs.writeFileSync(`${folder}/outside`, 'outside');
    fs.linkSync(`${folder}/outside`, `${target}/linked`);
    fs.rmSync(`${target}/link`);
    fs.writeFileSync(`${target}/link`, 'a file in the place of a link');
    fs.writeFileSync(`${target}/other`, 'stays');

    const result = await restore(tree, { existing: 'update' });
    expect(result).toMatchObject({ ...NOTHING_WRONG, files: 4 });
    expect(result.writtenBytes).toBeLessThan(200_000);
    expect(fs.readFileSync(`${target}/large`).equals(body)).toBe(true);
    expect(fs.statSync(`${target}/large`).ino).toBe(before);
    expect([read('same'), read('shorter'), read('linked'), read('other')]).toEqual([
      ...['same', 'short', 'from the snapshot', 'stays'],
    ]);
    expect(fs.readlinkSync(`${target}/link`)).toBe('large');
    expect(fs.readFileSync(`${folder}/outside`, 'utf8')).toBe('outside');
  });

  it('fills holes where something else was', async () => {
    const tree = await save(async (one) => one.tree({ holes: await one.file(Buffer.alloc(MIB)) }));
    fs.mkdirSync(target);
    fs.writeFileSync(`${target}/holes`, noise(1));
    await restore(tree, { existing: 'update' });
    expect(fs.readFileSync(`${target}/holes`).equals(Buffer.alloc(MIB))).toBe(true);
  });

  it('removes what the tree does not hold, but what patterns leave out', async () => {
    const tree = await save(async (one) =>
      one.tree({ kept: await one.folder({ a: await one.file('a') }), file: await one.file('f') }),
    );
    await restore(tree);
    fs.mkdirSync(`${target}/extra/deep`, { recursive: true });
    fs.writeFileSync(`${target}/extra/deep/b`, '');
    fs.mkdirSync(`${target}/spared`);
    fs.writeFileSync(`${target}/spared/x.tmp`, 'patterns leave it out');
    fs.writeFileSync(`${target}/spared/y`, '');
    fs.writeFileSync(`${target}/kept/z`, '');
    fs.symlinkSync(folder, `${target}/out`);
    fs.rmSync(`${target}/file`);
    fs.mkdirSync(`${target}/file/full`, { recursive: true });
    const result = await restore(tree, {
      existing: 'update',
      removeOthers: true,
      exclude: ['*.tmp'],
    });
    expect(result).toMatchObject({ ...NOTHING_WRONG, files: 2 });
    expect(fs.readdirSync(target, { recursive: true }).sort()).toEqual([
      ...['file', 'kept', 'kept/a', 'spared', 'spared/x.tmp'],
    ]);
    expect(read('file')).toBe('f');
  });

  it('removes nothing in a folder whose tree can be read in part alone', async () => {
    const tree = await save(async (one) => {
      const good = encodeTree([{ ...metadataOf('fifo', 0o600), name: Buffer.from('a') }]);
      const cut = Buffer.concat(good).toString().replace(']}', ',{"name":"b","type":"?"}]}');
      return one.tree({ broken: await one.forged(cut) });
    });
    fs.mkdirSync(`${target}/broken`, { recursive: true });
    fs.writeFileSync(`${target}/broken/mine`, 'mine');
    const result = await restore(tree, { existing: 'update', removeOthers: true });
    expect(result.problemCount).toBe(1);
    expect(result.removed).toBe(0);
    expect(read('broken/mine')).toBe('mine');
  });

  it('after half of it was written gives the whole', async () => {
    const files: Record<string, Buffer> = {};
    for (let i = 0; i < 40; i += 1) files[`f${i}`] = noise(1);
    const tree = await save(async (one) => {
      const made: Record<string, Made> = {};
      for (const [name, body] of Object.entries(files)) made[name] = await one.file(body);
      return one.tree({ folder: await one.folder(made, { permissions: 0o750 }) });
    });
    const stop = new AbortController();
    const progress = () => stop.abort(new Error('stopped'));
    await expect(restore(tree, { signal: stop.signal, progress })).rejects.toThrow('stopped');
    const result = await restore(tree, { existing: 'update', removeOthers: true });
    expect(result).toMatchObject({ ...NOTHING_WRONG, files: 40, removed: 0 });
    for (const [name, body] of Object.entries(files)) {
      expect(fs.readFileSync(`${target}/folder/${name}`).equals(body)).toBe(true);
      expect(fs.statSync(`${target}/folder/${name}`).mode & 0o777).toBe(0o644);
    }
    expect(fs.statSync(`${target}/folder`).mode & 0o777).toBe(0o750);
  });
});

describe('rights', () => {
  it.runIf(isRoot)('are told in one note where only root could restore them', async () => {
    const tree = await save(async (make) => {
      const more = { uid: 4_000_000_000, gid: 4_000_000_000, permissions: 0o4755 };
      return await make.tree({ a: await make.file('a', more), b: await make.file('b', more) });
    });
    const nobody = findUser('nobody');
    fs.chmodSync(folder, 0o777);
    process.seteuid?.(nobody?.uid ?? 65_534);
    try {
      const result = await restore(tree);
      expect(result).toMatchObject({ files: 2, problems: [] });
      expect(result.notes).toEqual([
        expect.stringMatching(/^2 entries belong to the current user/),
      ]);
      await expect(restore(tree, { owner: 'root' })).rejects.toMatchObject({
        code: 'recovery/owner-refused',
      });
      await expect(restore(tree, { target: '/root/x' })).rejects.toMatchObject({
        code: 'recovery/target-not-writable',
        kind: 'refused',
      });
    } finally {
      process.seteuid?.(0);
    }
    expect(readMetadata(Buffer.from(`${target}/a`))).toMatchObject({
      uid: nobody?.uid,
      permissions: 0o755,
    });
  });

  it.runIf(isRoot)('go by name where that is asked for and known here', async () => {
    const nobody = findUser('nobody');
    const owned = { uid: 4_000_001, gid: 4_000_002, group: 'root' };
    const tree = await save(async (one) =>
      one.tree({
        known: await one.file('1', { ...owned, user: 'nobody' }),
        unknown: await one.file('2', { ...owned, user: 'nobody-knows-them' }),
      }),
    );
    await restore(tree, { ownerBy: 'name' });
    expect(fs.statSync(`${target}/known`)).toMatchObject({ uid: nobody?.uid, gid: 0 });
    expect(fs.statSync(`${target}/unknown`)).toMatchObject({ uid: 4_000_001, gid: 0 });
  });

  it('and attributes are the same where threads write', async () => {
    const special = {
      permissions: 0o6711,
      mtimeNs: -1_234_567_890_123_456_789n,
      xattrs: [{ name: Buffer.from('user.a'), value: Buffer.from([0, 255]) }],
    };
    const tree = await save(async (one) =>
      one.tree({
        large: await one.file(randomBytes(12 * MIB), special),
        small: await one.file('small', special),
        future: await one.file('future', { mtimeNs: 2n ** 70n }),
        empty: await one.file('', special),
      }),
    );
    const result = await restore(tree);
    expect(result).toMatchObject({ ...NOTHING_WRONG, files: 4 });
    for (const name of ['large', 'small', 'empty']) {
      expect(readMetadata(Buffer.from(`${target}/${name}`))).toMatchObject(special);
    }
  });

  it.runIf(isRoot)('go to the owner that is named', async () => {
    const tree = await save(async (make) => {
      return await make.tree({ d: await make.folder({ f: await make.file('x') }) });
    });
    expect(await restore(tree, { owner: 'nobody' })).toMatchObject(NOTHING_WRONG);
    const { uid } = findUser('nobody') ?? { uid: -1 };
    expect(fs.statSync(`${target}/d`).uid).toBe(uid);
    expect(fs.statSync(`${target}/d/f`).uid).toBe(uid);
    await expect(
      restore(tree, { owner: 'no-such-user', target: `${folder}/b` }),
    ).rejects.toMatchObject({
      code: 'recovery/owner-unknown',
    });
  });

  it('of the restored folder itself come from the record of the capture', async () => {
    const tree = await save(async (make) => make.tree({ f: await make.file('x') }));
    const { uid, gid } = metadataOf('dir', 0);
    const name = Buffer.from('user.note').toString('base64');
    const xattrs = [{ name, value: Buffer.from('kept').toString('base64') }];
    const root = {
      permissions: 0o2750,
      uid,
      gid,
      user: '',
      group: '',
      mtimeNs: 123_456_789n,
      xattrs,
    };
    expect(await restore(tree, { root })).toMatchObject(NOTHING_WRONG);
    const metadata = readMetadata(Buffer.from(target));
    expect(metadata).toMatchObject({ permissions: 0o2750, mtimeNs: 123_456_789n });
    expect(metadata.xattrs).toEqual([
      { name: Buffer.from('user.note'), value: Buffer.from('kept') },
    ]);
  });
});
