/** What Holdfast's writer saved, restic finds whole, lists, dumps and restores, byte for byte, with all metadata. */
import { createCipheriv } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeTree, openWriter, type Repository, type TreeNode } from '#repository';
import { describeTree, makeEverythingTree } from '../everything-tree.ts';
import { createIn, restic } from './restic.ts';
import { saveFolder } from './save-folder.ts';

let scratch: string;
let original: string;
let repository: Repository;

beforeAll(async () => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-write-'));
  original = path.join(scratch, 'original');
  fs.mkdirSync(original);
  makeEverythingTree(original);
  repository = await createIn(scratch);
  await saveFolder(repository, original);
});

afterAll(async () => {
  await repository?.close();
  fs.rmSync(scratch, { recursive: true, force: true });
});

const check = () => restic(scratch, ['check', '--read-data']).toString();

describe('a snapshot of Holdfast', () => {
  it('is clean to restic', () => {
    expect(check()).toContain('no errors were found');
  });

  it('is restored exactly by restic', async () => {
    const target = path.join(scratch, 'restored');
    restic(scratch, ['restore', 'latest', '--quiet', '--target', target]);
    const expected = await describeTree(original);
    // restic 0.14 knows link targets as UTF-8 only; the raw bytes lie beside, for later ones.
    Object.assign(expected.get('link-raw') ?? {}, {
      linkTarget: Buffer.from('raw-\ufffd').toString('latin1'),
    });
    const restored = await describeTree(target);
    // The root itself is no entry of its own tree.
    expected.delete('');
    restored.delete('');
    expect(restored.size).toBeGreaterThan(20);
    expect(Object.fromEntries(restored)).toEqual(Object.fromEntries(expected));
  });

  it('is listed by restic with sizes and owners', () => {
    const lines = restic(scratch, ['ls', '--json', 'latest']).toString().trim().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const named = (name: string) => entries.find((entry) => entry.path === `/${name}`);
    expect(named('sparse')).toMatchObject({ type: 'file', size: 64 * 1024 * 1024 });
    expect(named('empty')).toMatchObject({ type: 'file', mtime: '1960-01-01T00:00:00.000000007Z' });
    expect(named('astral-\u{1f600}-\u{10ffff}')).toMatchObject({ type: 'file', size: 6 });
    expect(named('fifo')).toMatchObject({ type: 'fifo' });
  });

  it('gives its files out by restic dump', () => {
    const dumped = restic(scratch, ['dump', 'latest', '/deep/er/est/large']);
    expect(dumped.equals(fs.readFileSync(path.join(original, 'deep/er/est/large')))).toBe(true);
  });
});

describe('streams', () => {
  /** Without repetition, and the same each time. */
  const bodyOf = (sizeBytes: number) =>
    createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(
      Buffer.alloc(sizeBytes),
    );

  async function* inPieces(body: Buffer, pieceBytes: number) {
    for (let at = 0; at < body.length; at += pieceBytes) {
      yield body.subarray(at, at + pieceBytes);
    }
  }

  const node = (name: string, ids: Buffer, sizeBytes: number): TreeNode => ({
    name: Buffer.from(name),
    kind: 'file',
    permissions: 0o600,
    mtimeNs: 0n,
    atimeNs: 0n,
    ctimeNs: 0n,
    uid: 0,
    gid: 0,
    user: '',
    group: '',
    inode: 0n,
    deviceId: 0n,
    links: 1n,
    sizeBytes: BigInt(sizeBytes),
    xattrs: [],
    content: ids,
  });

  it('cut by content and by size are dumped byte for byte', async () => {
    const body = bodyOf(11_000_007);
    const writer = await openWriter(repository);
    const [content, fixed] = await Promise.all([
      writer.saveStream(inPieces(body, 70_001), { kind: 'content' }),
      writer.saveStream(inPieces(body, 3_000_000), { kind: 'fixed', sizeBytes: 131_072 }),
    ]);
    const tree = await writer.saveTree(
      encodeTree([
        node('by-content', content.ids, content.sizeBytes),
        node('by-size', fixed.ids, fixed.sizeBytes),
      ]),
    );
    await writer.finish();
    const { id } = await repository.snapshots.save({ time: Date.now(), tree, paths: ['/streams'] });
    expect(fixed.ids.length).toBe(32 * 84);
    for (const name of ['/by-content', '/by-size']) {
      expect(restic(scratch, ['dump', id, name]).equals(body)).toBe(true);
    }
    expect(check()).toContain('no errors were found');
  });
});
