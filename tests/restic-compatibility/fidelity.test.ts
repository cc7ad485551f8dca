/** What a file is besides its content, on each file system at hand: kept by a backup, by our restore and by restic's. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Secret, setXattr } from '#base';
import { backupPaths } from '#capture';
import { restoreTree } from '#recovery';
import { createRepository, openStorage } from '#repository';
import { describeTree, isRoot, makeSocket } from '../everything-tree.ts';

const scrypt = { N: 1024, r: 8, p: 1 };
/** A disk and memory: ext4 or overlayfs, and tmpfs. */
const places = [os.tmpdir(), '/dev/shm'].filter((place) => fs.existsSync(place));

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) fs.rmSync(folder, { recursive: true, force: true });
});

const acls = (folder: string, names: readonly string[]) =>
  execFileSync('getfacl', ['--omit-header', '--numeric', ...names], {
    cwd: folder,
    encoding: 'utf8',
  });

describe.each(places)('on %s', (place) => {
  const folder = fs.mkdtempSync(path.join(place, 'holdfast-fidelity-'));
  folders.push(folder);
  const at = (...names: string[]) => path.join(folder, ...names);

  test('ACLs, attributes, hard links over snapshots and sockets', async () => {
    const original = at('original');
    fs.mkdirSync(path.join(original, 'shared'), { recursive: true });
    fs.writeFileSync(path.join(original, 'file'), 'content', { mode: 0o640 });
    fs.linkSync(path.join(original, 'file'), path.join(original, 'shared/same'));
    const setfacl = (...words: string[]) => execFileSync('setfacl', words, { cwd: original });
    setfacl('-m', 'u:1234:rw-,g:77:r--,m::rw-', 'file');
    setfacl('-m', 'u:4321:rwx', 'shared');
    setfacl('-d', '-m', 'u:4321:r-x,o::---', 'shared');
    let attributes = 1;
    for (const bytes of [Buffer.alloc(0), Buffer.from([0, 255, 10]), Buffer.alloc(1000, 1)]) {
      const name = Buffer.from(`user.note-${attributes}`);
      attributes += 1;
      try {
        setXattr(Buffer.from(path.join(original, 'file')), { name, value: bytes });
      } catch (error) {
        // Older kernels have no user attributes on tmpfs.
        expect(error).toMatchObject({ code: 'ENOTSUP' });
      }
    }
    const endSocket = await makeSocket(path.join(original, 'socket'));

    const storage = await openStorage(at('repository'));
    const repository = await createRepository({ storage, password: new Secret('p'), scrypt });
    await backupPaths(repository, [original]);
    // A second name that comes later is the same file in the next snapshot, whose content isn't read again.
    fs.linkSync(path.join(original, 'file'), path.join(original, 'third'));
    const { snapshot, problems } = await backupPaths(repository, [original]);
    await endSocket();
    expect(problems).toEqual([]);

    await repository.loadIndex();
    const target = at('restored');
    const result = await restoreTree({
      repository,
      tree: snapshot.tree,
      subpath: original.slice(1),
      target,
    });
    await repository.close();
    expect(result.problems).toEqual([]);
    const env = { ...process.env, RESTIC_PASSWORD: 'p' };
    const words = ['--no-cache', '-q', '-r', at('repository'), 'restore', 'latest'];
    execFileSync('restic', [...words, '--target', at('by-restic')], { env, stdio: 'ignore' });

    const expected = await describeTree(original);
    expected.delete('socket');
    // Taking the socket away changed it.
    for (const tree of [expected]) Object.assign(tree.get('') ?? {}, { mtimeNs: undefined });
    const names = ['file', 'third', 'shared', 'shared/same'];
    for (const restored of [target, path.join(at('by-restic'), original)]) {
      expect(acls(restored, names)).toBe(acls(original, names));
      const found = await describeTree(restored);
      found.delete('socket');
      Object.assign(found.get('') ?? {}, { mtimeNs: undefined });
      expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
      const inodes = ['file', 'third', 'shared/same'].map(
        (name) => fs.statSync(path.join(restored, name)).ino,
      );
      expect(new Set(inodes).size).toBe(1);
    }
    expect(acls(target, ['shared'])).toContain('default:user:4321:r-x');
    if (isRoot) expect(fs.statSync(path.join(target, 'file')).uid).toBe(0);
  });
});
