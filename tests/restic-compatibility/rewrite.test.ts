/** Snapshots that are rewritten without a path: to restic they are snapshots as any other, and nothing else is changed. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backupPaths } from '#capture';
import {
  type CaptureKind,
  holdSnapshot,
  listCaptures,
  openWriter,
  type Repository,
  readCapture,
  rewriteSnapshots,
  type Snapshot,
  writeCapture,
} from '#repository';
import { createIn, repositoryIn, restic } from './restic.ts';
import { treesBelow } from './save-folder.ts';

const ADDRESS = { environment: 'shop', stage: 'production', store: 'uploads' };

let scratch: string;
let input: string;
let repository: Repository;

beforeEach(async () => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-rewrite-'));
  input = path.join(scratch, 'input');
  fs.mkdirSync(path.join(input, 'private/deep'), { recursive: true });
  fs.mkdirSync(path.join(input, 'public'));
  fs.writeFileSync(path.join(input, 'private/deep/secret'), 'secret');
  fs.writeFileSync(path.join(input, 'public/page'), 'page');
  fs.writeFileSync(path.join(input, 'public/image.iso'), 'image');
  repository = await createIn(scratch);
});

afterEach(async () => {
  await repository.close();
  fs.rmSync(scratch, { recursive: true, force: true });
});

const leavesOut = (name: string) => name === `${input.slice(1)}/private`;
const check = () => restic(scratch, ['check', '--read-data']).toString();
const listed = (id: string) => restic(scratch, ['ls', '--quiet', id]).toString();

const storedFiles = () =>
  fs.readdirSync(repositoryIn(scratch), { recursive: true }).map(String).sort();

async function capture(kind: CaptureKind, snapshot: Snapshot, id: string): Promise<void> {
  await writeCapture(repository, {
    id,
    address: ADDRESS,
    source: 'files',
    kind,
    snapshot: snapshot.id,
    startedAtMs: 1,
    endedAtMs: 2,
    start: { line: 0, offset: 1n },
    end: { line: 0, offset: 2n },
    clock: { offsetMs: 0, uncertaintyMs: 0 },
    chunkSizeBytes: 0,
    facts: {},
    statistics: { files: 1, directories: 1, bytes: 1, newBytes: 1, storedBytes: 1 },
    problems: [],
    problemCount: 0,
  });
}

test('a path goes from every snapshot, and its data with the next prune', async () => {
  const first = await backupPaths(repository, [input]);
  fs.writeFileSync(path.join(input, 'public/page'), 'another page');
  restic(scratch, ['backup', '--quiet', '--tag', 'by-restic', input]);
  const before = storedFiles();
  const dry = await rewriteSnapshots(repository, { leavesOut, forget: true, dryRun: true });
  expect(dry.rewritten.map(({ removed }) => removed)).toEqual([1, 1]);
  expect(storedFiles()).toEqual(before);

  const result = await rewriteSnapshots(repository, { leavesOut, forget: true });
  expect(result).toMatchObject({ untouched: 0, spared: [] });
  const snapshots = await repository.snapshots.list();
  expect(snapshots.map(({ id }) => id)).toEqual(result.rewritten.map(({ after }) => after));
  expect(snapshots.map(({ tags }) => tags)).toEqual([['by-restic'], []]);
  expect(snapshots[1]?.others.original).toBe(first.snapshot.id);
  expect(snapshots[1]?.time).toBe(first.snapshot.time);
  for (const { id } of snapshots) {
    expect(listed(id)).not.toContain('private');
    expect(listed(id)).toContain('public/page');
  }
  restic(scratch, ['prune', '--quiet', '--max-unused', '0']);
  expect(check()).toContain('no errors were found');
  expect(restic(scratch, ['dump', 'latest', `${input}/public/page`]).toString()).toBe(
    'another page',
  );
  expect(await rewriteSnapshots(repository, { leavesOut, forget: true })).toMatchObject({
    rewritten: [],
    untouched: 2,
  });
});

test('without forgetting, both stay, and a second run makes no third', async () => {
  await backupPaths(repository, [input]);
  const first = await rewriteSnapshots(repository, { leavesOut });
  const again = await rewriteSnapshots(repository, { leavesOut });
  expect(again.rewritten.map(({ after }) => after)).toEqual(
    first.rewritten.map(({ after }) => after),
  );
  const snapshots = await repository.snapshots.list();
  expect(snapshots).toHaveLength(2);
  expect(snapshots.map(({ tags }) => tags)).toContainEqual(['rewrite']);
  expect(check()).toContain('no errors were found');
});

test('captures follow their snapshots; what is held, or of a database, stays whole and is named', async () => {
  const { snapshot: followed } = await backupPaths(repository, [input], { tags: ['capture:one'] });
  const { snapshot: base } = await backupPaths(repository, [input], { tags: ['capture:two'] });
  const { snapshot: held } = await backupPaths(repository, [input]);
  await holdSnapshot(repository, held.id, 'a lawsuit');
  const { snapshot: spared } = await backupPaths(repository, [input], { tags: ['spared'] });
  await capture('files', followed, 'one');
  await capture('base', base, 'two');
  const result = await rewriteSnapshots(repository, {
    leavesOut,
    forget: true,
    protect: ({ tags }) => (tags.includes('spared') ? 'of ours' : undefined),
  });
  expect(result.rewritten.map(({ before }) => before.id)).toEqual([followed.id]);
  expect(Object.fromEntries(result.spared.map((one) => [one.snapshot.id, one.because]))).toEqual({
    [base.id]: expect.stringContaining('whole or not at all'),
    [held.id]: expect.stringMatching(/^held since .*: a lawsuit$/),
    [spared.id]: 'of ours',
  });
  const entries = await listCaptures(repository, ADDRESS);
  const records = await Promise.all(entries.map((entry) => readCapture(repository, entry)));
  expect(Object.fromEntries(records.map(({ id, snapshot }) => [id, snapshot]))).toEqual({
    one: result.rewritten[0]?.after,
    two: base.id,
  });
});

test('what only other programs know of an entry stays, byte for byte', async () => {
  const id = 'ab'.repeat(32);
  const entry = (name: string, more: string) =>
    `{"name":"${name}","type":"file","mode":384,"mtime":"2020-01-01T00:00:00Z","atime":"2020-01-01T00:00:00Z","ctime":"2020-01-01T00:00:00Z","uid":0,"gid":0,"content":[]${more}}`;
  const strange = `,"generic_attributes":{"subtree":"${id}","x":[1,{"y":null}]}, "newer" : 1.5e3`;
  const inner = Buffer.from(
    `{"nodes":[${entry('a', strange)},${entry('gone', '')},${entry('z', '')}]}\n`,
  );
  const writer = await openWriter(repository, { workers: 1 });
  const subtree = await writer.saveTree([inner]);
  const folder = `{"name":"d","type":"dir","mode":2147484096,"mtime":"2020-01-01T00:00:00Z","atime":"2020-01-01T00:00:00Z","ctime":"2020-01-01T00:00:00Z","uid":0,"gid":0,"content":null,"generic_attributes":{"of":"\\"subtree\\":\\"${subtree}\\""},"subtree":"${subtree}"}`;
  const tree = await writer.saveTree([Buffer.from(`{"nodes":[${folder}]}\n`)]);
  await writer.finish();
  await repository.snapshots.save({ time: Date.now(), tree, paths: ['/d'] });
  await rewriteSnapshots(repository, { leavesOut: (name) => name === 'd/gone', forget: true });
  const [snapshot] = await repository.snapshots.list();
  const texts: string[] = [];
  for await (const { bytes } of treesBelow(repository, snapshot?.tree as string)) {
    texts.push(bytes.toString());
  }
  expect(texts[1]).toBe(`{"nodes":[${entry('a', strange)},${entry('z', '')}]}\n`);
  const written = /"subtree":"([0-9a-f]+)"\}\]/.exec(texts[0] as string)?.[1];
  expect(texts[0]).toBe(
    `{"nodes":[${folder.replace(`,"subtree":"${subtree}"`, `,"subtree":"${written}"`)}]}\n`,
  );
});
