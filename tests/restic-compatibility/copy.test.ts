/** A copy in a repository of its own key is as good as what it was copied from: to restic, and to a recovery. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { randomBytes, Secret, timedId } from '#base';
import { backupPaths } from '#capture';
import {
  copyRepository,
  createRepository,
  findPath,
  listCaptures,
  openJournalReader,
  openRepository,
  openStorage,
  type Repository,
  readCapture,
  readMarks,
  writeCapture,
  writeMark,
  writePiece,
} from '#repository';
import { describeTree, makeEverythingTree } from '../everything-tree.ts';

const scrypt = { N: 1024, r: 8, p: 1 };
const ADDRESS = { environment: 'shop', stage: 'production', store: 'uploads' };

let scratch: string;
let original: string;
let from: Repository;
const opened: Repository[] = [];

const folder = (name: string) => path.join(scratch, name);

async function make(name: string): Promise<Repository> {
  const storage = await openStorage(folder(name));
  const repository = await createRepository({ storage, password: new Secret(name), scrypt });
  opened.push(repository);
  return repository;
}

function restic(name: string, ...words: string[]): string {
  return execFileSync('restic', ['--no-cache', '-r', folder(name), ...words], {
    env: { ...process.env, RESTIC_PASSWORD: name },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

const check = (name: string) => restic(name, 'check', '--read-data');

beforeAll(async () => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-copy-'));
  original = folder('original');
  fs.mkdirSync(original);
  makeEverythingTree(original);
  from = await make('from');
  await backupPaths(from, [original], { tags: ['first'] });
  fs.writeFileSync(path.join(original, 'later'), randomBytes(3_000_000));
  restic('from', 'backup', '--quiet', '--tag', 'by-restic', original);
  await writeRecords(from);
}, 120_000);

afterAll(async () => {
  for (const repository of opened) await repository.close();
  fs.rmSync(scratch, { recursive: true, force: true });
});

async function writeRecords(repository: Repository): Promise<void> {
  const [newest] = await repository.snapshots.list();
  await writeCapture(repository, {
    id: timedId(1_795_000_000_000),
    address: ADDRESS,
    source: 'files',
    kind: 'files',
    snapshot: newest?.id as string,
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
  await writeMark(repository, {
    id: timedId(5),
    environment: 'shop',
    stage: 'production',
    kind: 'deploy',
    atMs: 5,
    positions: {},
  });
  const piece = { line: 1, from: 0n, latestMs: 7 };
  await writePiece(repository, ADDRESS, piece, Buffer.from('journal'));
  await repository.sealed.write('owners/shop/production', Buffer.from('{}'));
}

async function journalOf(repository: Repository): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of openJournalReader(repository, ADDRESS).read(1, 0n, 7n)) {
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

describe('a copy', () => {
  let to: Repository;

  beforeAll(async () => {
    to = await make('to');
  });

  test('takes all snapshots and all records along, and is clean', async () => {
    const result = await copyRepository(from, to);
    expect(result).toMatchObject({ copied: 2, present: 0, damaged: [], unreadable: [] });
    expect(result.records).toEqual({ copied: 3, present: 0, left: [] });
    expect(check('to')).toContain('no errors were found');
    const originals = (await from.snapshots.list()).map(({ id }) => id);
    const copies = await to.snapshots.list();
    expect(copies.map(({ others }) => others.original)).toEqual(originals);
    expect(copies.map(({ tags }) => tags)).toEqual([['by-restic'], ['first']]);
  });

  test('is restored by restic as it was', async () => {
    const target = folder('restored');
    restic('to', 'restore', 'latest', '--quiet', '--target', target);
    const expected = await describeTree(original);
    const restored = await describeTree(path.join(target, original));
    for (const tree of [expected, restored]) tree.delete('link-raw');
    expect(Object.fromEntries(restored)).toEqual(Object.fromEntries(expected));
  });

  test('leads its captures to its own snapshots, and reads its journal with its own key', async () => {
    const [entry] = await listCaptures(to, ADDRESS);
    const record = await readCapture(to, entry as { name: string });
    const snapshot = await to.snapshots.load(record.snapshot);
    const { snapshot: before } = await readCapture(from, entry as { name: string });
    expect(snapshot.others.original).toBe(before);
    expect(await journalOf(to)).toBe('journal');
    expect(await readMarks(to, 'shop', 'production')).toHaveLength(1);
    // Whose it is, is told of each repository alone.
    expect(await to.sealed.readIfThere('owners/shop/production')).toBeUndefined();
  });

  test('copies nothing again, reads no data again, and adds what is new', async () => {
    const packs: string[] = [];
    const { read } = from.storage;
    from.storage.read = (name, ...rest) => {
      if (name.startsWith('data/')) packs.push(name);
      return read.call(from.storage, name, ...rest);
    };
    const again = await copyRepository(from, to);
    from.storage.read = read;
    expect(again).toMatchObject({ copied: 0, present: 2, blobs: 0, bytes: 0 });
    expect(again.records).toEqual({ copied: 0, present: 3, left: [] });
    expect(packs).toEqual([]);
    fs.writeFileSync(path.join(original, 'third'), 'third');
    const { stats } = await backupPaths(from, [original]);
    const third = await copyRepository(from, to);
    expect(third).toMatchObject({ copied: 1, present: 2 });
    expect(third.bytes).toBe(stats.newBytes);
    expect(check('to')).toContain('no errors were found');
  });

  test('of a copy keeps the first original, and restic takes it for known', async () => {
    await make('further');
    const further = opened.at(-1) as Repository;
    await copyRepository(to, further);
    const back = await copyRepository(further, from);
    expect(back).toMatchObject({ copied: 0, present: 3 });
  });

  test('of chosen snapshots takes their captures alone', async () => {
    const chosen = await make('chosen');
    const choose = async () => (await from.snapshots.list()).slice(1, 2);
    const result = await copyRepository(from, chosen, { choose });
    expect(result).toMatchObject({ copied: 1, records: { copied: 1, left: [] } });
    expect(await readMarks(chosen, 'shop', 'production')).toEqual([]);
    expect(check('chosen')).toContain('no errors were found');
  });

  test('into itself is refused', async () => {
    await expect(copyRepository(from, from)).rejects.toMatchObject({
      code: 'repository/same-repository',
    });
  });
});

test('an interrupted copy is clean, and the next one goes on', async () => {
  const to = await make('cut');
  const stop = new AbortController();
  const cut = copyRepository(from, to, {
    signal: stop.signal,
    progress: ({ doneBytes }) => {
      if ((doneBytes ?? 0) > 1_000_000) stop.abort(new Error('cut'));
    },
  });
  await expect(cut).rejects.toThrow('cut');
  expect(await to.files.list('locks')).toEqual([]);
  expect(check('cut')).toContain('no errors were found');
  await copyRepository(from, to);
  expect(check('cut')).toContain('no errors were found');
  expect(await to.snapshots.list()).toHaveLength(3);
});

test('what is damaged is named, and the rest is copied', async () => {
  fs.cpSync(folder('from'), folder('damaged'), { recursive: true });
  const password = new Secret('from');
  const storage = await openStorage(folder('damaged'));
  const damaged = await openRepository({ storage, password, scrypt });
  opened.push(damaged);
  await damaged.loadIndex();
  const [byRestic] = await damaged.snapshots.list({ tags: [['by-restic']] });
  const later = Buffer.from(path.join(original, 'later'));
  const found = await findPath(damaged, byRestic?.tree as string, later);
  const blob = damaged.index.lookup('data', found?.node?.content as Buffer);
  const pack = blob?.packId as string;
  const file = path.join(folder('damaged'), 'data', pack.slice(0, 2), pack);
  fs.chmodSync(file, 0o600);
  const bytes = fs.readFileSync(file);
  const at = (blob?.offset ?? 0) + 100;
  bytes[at] = (bytes[at] as number) ^ 1;
  fs.writeFileSync(file, bytes);
  const to = await make('rest');
  const result = await copyRepository(damaged, to);
  expect(result).toMatchObject({ copied: 2, damaged: [{ id: byRestic?.id }] });
  expect(result.damaged[0]?.why).toContain(pack);
  expect(result.records.left).toHaveLength(1);
  expect(check('rest')).toContain('no errors were found');
});

test('a repository of format 1 becomes one of format 2', async () => {
  const env = { ...process.env, RESTIC_PASSWORD: 'old' };
  const words = ['--no-cache', '-r', folder('old'), '--quiet'];
  execFileSync('restic', [...words, 'init', '--repository-version', '1'], { env });
  execFileSync('restic', [...words, 'backup', original], { env, stdio: 'ignore' });
  const storage = await openStorage(folder('old'));
  const old = await openRepository({ storage, password: new Secret('old'), scrypt });
  opened.push(old);
  const to = await make('new');
  expect(await copyRepository(old, to)).toMatchObject({ copied: 1, damaged: [] });
  expect(check('new')).toContain('no errors were found');
  const sizes = [...to.index.packs()].flatMap(({ blobs }) => blobs);
  expect(sizes.filter(({ type }) => type === 'tree').every(({ compressed }) => compressed)).toBe(
    true,
  );
});
