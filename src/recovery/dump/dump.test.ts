/** An archive of a snapshot, unpacked by GNU tar, is the folder that was backed up; a file's bytes are its bytes. */
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { madeMetadata, Secret, setXattr } from '#base';
import { backupPaths } from '#capture';
import { createRepository, openStorage, type Repository } from '#repository';
import { describeTree, isRoot, makeEverythingTree } from '../../../tests/everything-tree.ts';
import { type Dump, dump } from './dump.ts';
import { tarHeader } from './tar-header.ts';

const scrypt = { N: 1024, r: 8, p: 1 };

let scratch: string;
let original: string;
let repository: Repository;
let tree: string;

beforeAll(async () => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-dump-'));
  original = path.join(scratch, 'original');
  fs.mkdirSync(original);
  makeEverythingTree(original);
  makeLongNames(original);
  if (isRoot) execFileSync('setfacl', ['-m', 'u:1234:r-x,m::rwx', path.join(original, 'empty')]);
  if (isRoot) execFileSync('setfacl', ['-d', '-m', 'g:77:rwx', path.join(original, 'deep')]);
  const storage = await openStorage(path.join(scratch, 'repository'));
  repository = await createRepository({ storage, password: new Secret('p'), scrypt });
  const { snapshot } = await backupPaths(repository, [original]);
  tree = snapshot.tree;
});

afterAll(async () => {
  await repository?.close();
  fs.rmSync(scratch, { recursive: true, force: true });
});

/** Paths at each side of what the fields of a header hold, and names that an extended header must carry raw. */
function makeLongNames(folder: string): void {
  for (const length of [90, 120, 180, 250]) {
    fs.mkdirSync(path.join(folder, 'p'.repeat(length)));
    fs.writeFileSync(path.join(folder, 'p'.repeat(length), 'n'.repeat(99)), String(length));
    fs.writeFileSync(path.join(folder, 'p'.repeat(length), 'n'.repeat(101)), String(length));
  }
  const raw = Buffer.concat([Buffer.from(`${folder}/`), Buffer.alloc(250, 0xff)]);
  fs.writeFileSync(raw, 'raw and long');
  fs.symlinkSync('t'.repeat(300), path.join(folder, 'long-target'));
  setXattr(Buffer.from(folder), { name: Buffer.from('user.root'), value: Buffer.from('a\n=b\0') });
}

/** What GNU tar remarks of keys that it doesn't know, and of times that it finds odd. */
const REMARKS = /^.*(?:hdrcharset|implausibly old|in the future).*\n/gm;

async function untar(given: Dump, into: string): Promise<void> {
  fs.mkdirSync(into);
  const words = ['-x', '-p', '-C', into, '--xattrs', '--xattrs-include=*', '--acls'];
  const tar = spawn('tar', words, { stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  tar.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = new Promise((resolve) => tar.once('close', resolve));
  await pipeline(given.bytes, tar.stdin);
  expect([await ended, said.replace(REMARKS, '')]).toEqual([0, '']);
}

const at = (...names: string[]) => Buffer.from(path.join(original, ...names));

test('a folder, unpacked by GNU tar, is as it was', async () => {
  const given = await dump({ repository, tree, path: at() });
  expect(given.kind).toBe('tar');
  const target = path.join(scratch, 'unpacked');
  await untar(given, target);
  expect(given.problems).toEqual([]);
  const expected = await describeTree(original);
  const unpacked = await describeTree(target);
  expect(unpacked.size).toBeGreaterThan(30);
  // GNU tar 1.34 reads parts of seconds before 1970 wrong, its own too.
  for (const tree of [unpacked, expected]) {
    for (const entry of tree.values()) if ((entry.mtimeNs as bigint) < 0n) entry.mtimeNs = 0n;
  }
  for (const name of ['deep/er', 'empty']) (unpacked.get(name) ?? {}).mtimeNs = 0n;
  expect(Object.fromEntries(unpacked)).toEqual(Object.fromEntries(expected));
});

test('the whole snapshot begins at its root', async () => {
  const given = await dump({ repository, tree, path: Buffer.from('/') });
  const tar = spawn('tar', ['-t'], { stdio: ['pipe', 'pipe', 'ignore'] });
  let listed = '';
  tar.stdout.setEncoding('utf8').on('data', (text: string) => {
    listed += text;
  });
  const ended = new Promise((resolve) => tar.once('close', resolve));
  await pipeline(given.bytes, tar.stdin);
  await ended;
  expect(listed).toContain(`${original.slice(1)}/deep/er/est/large\n`);
});

describe('a file', () => {
  test('comes byte for byte, holes too', async () => {
    for (const name of ['deep/er/est/large', 'sparse', 'empty']) {
      const given = await dump({ repository, tree, path: at(name) });
      expect(given.kind).toBe('file');
      const pieces: Buffer[] = [];
      for await (const piece of given.bytes) pieces.push(Buffer.from(piece));
      expect(Buffer.concat(pieces).equals(fs.readFileSync(path.join(original, name)))).toBe(true);
    }
  });

  test('is an archive where that is asked for, and a link only so', async () => {
    await expect(dump({ repository, tree, path: at('link') })).rejects.toMatchObject({
      code: 'recovery/not-a-file',
    });
    const target = path.join(scratch, 'single');
    await untar(await dump({ repository, tree, path: at('link'), archive: true }), target);
    expect(fs.readlinkSync(path.join(target, 'link'))).toBe('text');
  });

  test('that is not there is told', async () => {
    await expect(dump({ repository, tree, path: at('nothing') })).rejects.toMatchObject({
      code: 'recovery/path-not-in-snapshot',
    });
  });
});

test('what is lost is zeros, and named', async () => {
  const reader = {
    index: repository.index,
    readBlobs: (...[type, ids, onBlob, options]: Parameters<Repository['readBlobs']>) =>
      type === 'tree'
        ? repository.readBlobs(type, ids, onBlob, options)
        : Promise.resolve(
            options?.onDamaged?.(Buffer.from(ids.subarray(0, 32)), new Error('gone')),
          ),
  };
  const given = await dump({ repository: reader, tree, path: at('text') });
  const pieces: Buffer[] = [];
  for await (const piece of given.bytes) pieces.push(Buffer.from(piece));
  expect(Buffer.concat(pieces)).toEqual(Buffer.alloc(10));
  expect(given.problemCount()).toBe(1);
  expect(given.problems[0]?.what).toMatch(/^10 bytes at offset 0 are lost/);
});

test('sizes beyond 8 GiB, ids and times beyond the fields are understood by GNU tar', () => {
  const sizeBytes = 9 * 2 ** 30 + 1;
  const made = madeMetadata('file', 0o640, -2_000_000_000n);
  const node = {
    ...made,
    name: Buffer.from('huge'),
    uid: 4_294_967_290,
    gid: 3_000_000_000,
    user: '',
    group: '',
    sizeBytes: BigInt(sizeBytes),
  };
  const header = tarHeader({ path: Buffer.from('huge'), node, sizeBytes });
  const archive = path.join(scratch, 'huge.tar');
  fs.writeFileSync(archive, header);
  // All holes.
  fs.truncateSync(archive, header.length + 9 * 2 ** 30 + 512 + 1024);
  const env = { ...process.env, TZ: 'UTC' };
  const listed = execFileSync('tar', ['-tv', '--full-time', '-f', archive], { env }).toString();
  expect(listed.trim().split(/\s+/)).toEqual([
    '-rw-r-----',
    '4294967290/3000000000',
    String(sizeBytes),
    '1969-12-31',
    '23:59:58',
    'huge',
  ]);
});

test('a reader that goes away ends the reading', async () => {
  const given = await dump({ repository, tree, path: at() });
  for await (const piece of given.bytes) {
    expect(piece.length).toBeGreaterThan(0);
    break;
  }
});
