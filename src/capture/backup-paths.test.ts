import { execFileSync } from 'node:child_process';
import { createHash, hash } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Secret } from '#base';
import { createRepository, openStorage, type Repository } from '#repository';
import { walkTree } from '#sources';
import { backupPaths } from './backup-paths.ts';

/** In any thread of this process. */
async function isOpenHere(file: string): Promise<boolean> {
  const open = (await fs.readdir('/proc/self/fd')).map((name) =>
    fs.readlink(`/proc/self/fd/${name}`).catch(() => ''),
  );
  return (await Promise.all(open)).includes(file);
}

let home: string;
let folder: string;
let repository: Repository;

beforeAll(async () => {
  home = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-backup-'));
  repository = await createRepository({
    storage: await openStorage(path.join(home, 'repository')),
    password: new Secret('backup'),
    scrypt: { N: 1024, r: 8, p: 1 },
    cache: { folder: path.join(home, 'cache') },
  });
});
afterAll(async () => {
  await repository.close();
  await fs.rm(home, { recursive: true, force: true });
});
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(home, 'files-'));
});

function restic(...args: string[]): string {
  return execFileSync('restic', ['-r', path.join(home, 'repository'), '--no-cache', ...args], {
    env: { ...process.env, RESTIC_PASSWORD: 'backup', HOME: home },
    encoding: 'utf8',
  });
}

/** Everything that a restore must bring back, of every entry, contents by hash and hard links by first name. */
async function described(root: string): Promise<unknown[]> {
  const entries: unknown[] = [];
  const firstNames = new Map<bigint, string>();
  const events = walkTree(Buffer.from(root), { signal: new AbortController().signal });
  for await (const event of events) {
    if (event.kind !== 'entry') continue;
    const { ctimeNs: _, atimeNs: __, inode, deviceId: ___, links, ...kept } = event.metadata;
    const name = event.path.toString('latin1');
    if (!firstNames.has(inode)) firstNames.set(inode, name);
    const content =
      event.content.from === 'path'
        ? createHash('sha256')
            .update(await fs.readFile(event.content.absolutePath))
            .digest('hex')
        : undefined;
    entries.push({
      ...kept,
      ...(kept.kind === 'file' && { links }),
      name,
      linkedTo: firstNames.get(inode),
      content,
    });
  }
  return entries;
}

/** Ages files beyond the margin in which a second change could have the same time. */
async function age(...files: string[]): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (const file of files)
    while (Date.now() - (await fs.stat(file)).ctimeMs < 2_100) {
      if (Date.now() > deadline) throw new Error('the clock stands still');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
}

describe('backup of paths', () => {
  it('is restored by restic exactly, with hard links, holes, odd names and every kind of entry', async () => {
    const tree = path.join(folder, 'tree');
    await fs.mkdir(path.join(tree, 'sub/deep'), { recursive: true });
    await fs.writeFile(path.join(tree, 'a.txt'), 'hello');
    await fs.link(path.join(tree, 'a.txt'), path.join(tree, 'sub/b.txt'));
    await fs.symlink('../a.txt', path.join(tree, 'sub/link'));
    await fs.writeFile(path.join(tree, 'sub/deep/empty'), '');
    await fs.writeFile(path.join(tree, 'sub/large'), Buffer.alloc(3 * 2 ** 20, 'x'));
    await fs.truncate(path.join(tree, 'sub/large'), 20 * 2 ** 20);
    await fs.writeFile(Buffer.from(`${tree}/bad\xff`, 'latin1'), 'raw');
    execFileSync('mkfifo', [path.join(tree, 'fifo')]);
    await fs.utimes(path.join(tree, 'a.txt'), -315_619_200, -315_619_200);
    await fs.chmod(path.join(tree, 'sub'), 0o2711);
    const result = await backupPaths(repository, [tree], { tags: ['t'] });
    expect(result.problems).toEqual([]);
    expect(result.totals.files).toBe(5);
    restic('check', '--read-data');
    const target = path.join(folder, 'restored');
    restic('restore', result.snapshot.id, '--target', target);
    expect(await described(path.join(target, tree))).toEqual(await described(tree));
    expect(restic('ls', result.snapshot.id)).toContain(`${tree}/sub/large`);
  });

  it('reads only what changed', async () => {
    const tree = path.join(folder, 'tree');
    await fs.mkdir(tree);
    const names = ['one', 'two', 'three'];
    for (const name of names) await fs.writeFile(path.join(tree, name), name.repeat(100));
    await age(...names.map((name) => path.join(tree, name)));
    const first = await backupPaths(repository, [tree]);
    await fs.writeFile(path.join(tree, 'two'), 'changed');
    const second = await backupPaths(repository, [tree]);
    const third = await backupPaths(repository, [tree]);
    expect(second.parent?.id).toBe(first.snapshot.id);
    expect(third.stats.dataBlobs).toBe(0);
    expect(first.stats.dataBlobs).toBe(3);
    expect(second.stats.dataBlobs).toBe(1);
  });

  it('keeps a note of many folders, and reads again what the repository has lost since', async () => {
    const tree = path.join(folder, 'tree');
    for (let i = 0; i < 250; i += 1) await fs.mkdir(path.join(tree, `${i}`), { recursive: true });
    await fs.writeFile(path.join(tree, '7/file'), 'content that gets lost');
    await age(path.join(tree, '7'), path.join(tree, '7/file'), path.join(tree, '249'), tree);
    const first = await backupPaths(repository, [tree]);
    const notes = path.join(home, 'cache', repository.config.id, 'derived');
    expect(await fs.readdir(notes)).toEqual([expect.stringMatching(/^folders-/)]);
    await fs.writeFile(path.join(tree, '8/new'), 'new');
    const second = await backupPaths(repository, [tree]);
    expect(second.stats.dataBlobs).toBe(1);
    expect(second.totals).toEqual({ ...first.totals, files: 2, bytes: first.totals.bytes + 3 });

    const lost = repository.index.lookup(
      'data',
      hash('sha256', 'content that gets lost', 'buffer'),
    );
    const pack = (lost as { packId: string }).packId;
    await fs.rm(path.join(home, 'repository/data', pack.slice(0, 2), pack));
    restic('rebuild-index');
    const third = await backupPaths(repository, [tree]);
    expect(third.stats.dataBlobs).toBeGreaterThan(0);
    const target = path.join(folder, 'restored');
    restic('restore', third.snapshot.id, '--target', target);
    expect(await described(path.join(target, tree))).toEqual(await described(tree));
  });

  it('takes several paths and files into one snapshot, each once, and names what is not there', async () => {
    await fs.mkdir(path.join(folder, 'x/inner'), { recursive: true });
    await fs.writeFile(path.join(folder, 'x/inner/f'), 'f');
    await fs.writeFile(path.join(folder, 'g'), 'g');
    const paths = [path.join(folder, 'x/inner'), path.join(folder, 'x'), path.join(folder, 'g')];
    const absent = path.join(folder, 'absent');
    const result = await backupPaths(repository, [...paths, absent]);
    expect(result.problems).toEqual([{ path: absent.slice(1), what: 'is not there' }]);
    expect(result.snapshot.paths).toEqual([absent, path.join(folder, 'g'), path.join(folder, 'x')]);
    const listed = restic('ls', result.snapshot.id);
    for (const name of ['x/inner/f', 'g']) expect(listed).toContain(path.join(folder, name));
  });

  it('tells how far it is in the midst of one huge file, and stops there when it is told to', async () => {
    const huge = path.join(folder, 'huge');
    const file = await fs.open(huge, 'w');
    // Each in a chunk of its own: to read all of them takes half a minute.
    for (let at = 0; at < 2 ** 34; at += 2 ** 25) await file.write(`${at}`, at);
    await file.close();
    const before = await repository.snapshots.ids();
    const stop = new AbortController();
    const told: number[] = [];
    const cut = backupPaths(repository, [huge], {
      signal: stop.signal,
      onWait: () => expect.fail('nobody else is there'),
      progress: ({ doneBytes = 0 }) => {
        if (doneBytes === 0) return;
        told.push(doneBytes);
        stop.abort(new Error('interrupted'));
      },
      writer: { workers: 1 },
    });
    await expect(cut).rejects.toThrow('interrupted');
    expect(told[0]).toBeLessThan(2 ** 33);
    await vi.waitUntil(async () => !(await isOpenHere(huge)), { interval: 5, timeout: 20_000 });
    expect(await repository.snapshots.ids()).toEqual(before);
    expect(restic('list', 'locks').trim()).toBe('');
  });

  it('says so when nothing is there, and stores no snapshot', async () => {
    const before = await repository.snapshots.ids();
    await expect(backupPaths(repository, [path.join(folder, 'nowhere')])).rejects.toMatchObject({
      code: 'capture/nothing-to-capture',
    });
    expect(await repository.snapshots.ids()).toEqual(before);
    expect(restic('list', 'locks').trim()).toBe('');
  });
});
