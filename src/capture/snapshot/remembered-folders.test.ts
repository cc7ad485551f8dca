import { hash } from 'node:crypto';
import { expect, it } from 'vitest';
import { userName } from '#base';
import {
  FoldersToRemember,
  type RememberedFolder,
  RememberedFolders,
  recallFolders,
  rememberFolders,
} from './remembered-folders.ts';

const fingerprintOf = (number: number) => hash('sha256', `folder ${number}`, 'buffer');

function folder(number: number): RememberedFolder {
  const tree = hash('sha256', `tree ${number}`, 'hex');
  return { tree, files: number, folders: number % 7, bytes: number * 2 ** 36 };
}

function folders(count: number): FoldersToRemember {
  const made = new FoldersToRemember(0);
  for (let number = 0; number < count; number += 1) made.add(fingerprintOf(number), folder(number));
  return made;
}

const SNAPSHOT = 'snapshot';

function noteOf(count: number, indexFiles: string[] = []): Buffer {
  return Buffer.concat(folders(count).note(SNAPSHOT, indexFiles));
}

/** Notes in memory. */
function home(indexFileIds: ReadonlySet<string> = new Set()) {
  const kept = new Map<string, Buffer>();
  const notes = {
    read: async (name: string) => kept.get(name),
    write: async (name: string, content: readonly Uint8Array[]) => {
      kept.set(name, Buffer.concat(content));
    },
  };
  return { kept, notes: notes as never, indexFileIds };
}

it.each([0, 1, 4095, 4096, 10_000])('gives back %i folders as they were, and no other', (count) => {
  const remembered = RememberedFolders.of(noteOf(count), SNAPSHOT);
  for (let number = 0; number < count; number += 1) {
    expect(remembered?.find(fingerprintOf(number))).toEqual(folder(number));
  }
  for (let number = count; number < count + 1000; number += 1) {
    expect(remembered?.find(fingerprintOf(number))).toBeUndefined();
  }
});

it('speaks of one snapshot, and only while owners have the names that they had', () => {
  userName(0);
  const note = noteOf(3);
  expect(RememberedFolders.of(note, SNAPSHOT)).toBeDefined();
  expect(RememberedFolders.of(note, 'another')).toBeUndefined();
  const length = note.readUInt32LE(0);
  const header = JSON.parse(note.toString('utf8', 4, 4 + length)) as { users: unknown[] };
  header.users.push([0, 'somebody']);
  const text = Buffer.from(JSON.stringify(header));
  const begin = Buffer.alloc(4);
  begin.writeUInt32LE(text.length);
  const renamed = Buffer.concat([begin, text, note.subarray(4 + length)]);
  expect(RememberedFolders.of(renamed, SNAPSHOT)).toBeUndefined();
});

it('is of no use once an index file is gone that told of its blobs', () => {
  const remembered = RememberedFolders.of(noteOf(3, ['a', 'b']), SNAPSHOT);
  expect(remembered?.isStoredIn(home(new Set(['a', 'b', 'c'])))).toBe(true);
  expect(remembered?.isStoredIn(home(new Set(['a', 'c'])))).toBe(false);
});

it('is kept for these paths of this host, where there are many folders', async () => {
  const repository = home(new Set(['a']));
  await rememberFolders(repository, ['/few'], 'host', SNAPSHOT, folders(3));
  expect(repository.kept.size).toBe(0);
  await rememberFolders(repository, ['/x', '/y'], 'host', SNAPSHOT, folders(500));
  const recall = (paths: string[], host: string) =>
    recallFolders(repository, paths, host, SNAPSHOT);
  const recalled = await recall(['/x', '/y'], 'host');
  expect(recalled?.find(fingerprintOf(7))).toEqual(folder(7));
  expect(recalled?.isStoredIn(home())).toBe(false);
  expect(await recall(['/x'], 'host')).toBeUndefined();
  expect(await recall(['/x', '/y'], 'other')).toBeUndefined();
});
