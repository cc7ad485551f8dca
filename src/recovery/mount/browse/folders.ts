/**
 * The folders above the snapshots: `ids/`, `snapshots/` by time, `hosts/`, `tags/`. They are made anew whenever the
 * snapshots of the repository have changed.
 */
import type { Snapshot } from '#repository';

export type FolderEntry =
  | { kind: 'folder'; entries: ReadonlyMap<string, FolderEntry> }
  | { kind: 'snapshot'; snapshot: Snapshot }
  | { kind: 'link'; target: string };

type Folder = Map<string, FolderEntry>;

const SHORT_ID = 8;

/** Snapshots in any order. */
export function foldersOf(snapshots: readonly Snapshot[]): ReadonlyMap<string, FolderEntry> {
  const oldestFirst = [...snapshots].sort((a, b) => a.timeMs - b.timeMs || (a.id < b.id ? -1 : 1));
  const ids: Folder = new Map();
  const byTime: Folder = new Map();
  const hosts = new Map<string, Folder>();
  const tags = new Map<string, Folder>();
  for (const snapshot of oldestFirst) {
    const entry: FolderEntry = { kind: 'snapshot', snapshot };
    ids.set(uniqueName(ids, snapshot.id.slice(0, SHORT_ID)), entry);
    addByTime(byTime, entry);
    addByTime(folderFor(hosts, snapshot.hostname), entry);
    for (const tag of snapshot.tags) addByTime(folderFor(tags, tag), entry);
  }
  for (const folder of [byTime, ...hosts.values(), ...tags.values()]) linkLatest(folder);
  return new Map<string, FolderEntry>([
    ['ids', { kind: 'folder', entries: ids }],
    ['snapshots', { kind: 'folder', entries: byTime }],
    ['hosts', folderOf(hosts)],
    ['tags', folderOf(tags)],
  ]);
}

function folderOf(folders: ReadonlyMap<string, Folder>): FolderEntry {
  const entries = new Map<string, FolderEntry>();
  for (const [name, folder] of folders) entries.set(name, { kind: 'folder', entries: folder });
  return { kind: 'folder', entries };
}

function folderFor(folders: Map<string, Folder>, name: string): Folder {
  const shown = componentOf(name);
  const folder: Folder = folders.get(shown) ?? new Map();
  folders.set(shown, folder);
  return folder;
}

/** Hosts and tags are free text: no name of a folder may hold a slash, be a dot or too long. */
function componentOf(text: string): string {
  const plain = text.replaceAll(/[/\0]/g, '_').slice(0, 80);
  return /^\.{0,2}$/.test(plain) ? `_${plain}` : plain;
}

/** `2026-11-21T10:42:07Z`, in the snapshot's own offset, as a person who made it would name it. */
function addByTime(folder: Folder, entry: FolderEntry & { kind: 'snapshot' }): void {
  folder.set(uniqueName(folder, entry.snapshot.time.replace(/\.\d+/, '')), entry);
}

/** The second of the same name is `name-1`. */
function uniqueName(folder: Folder, wanted: string): string {
  let name = wanted;
  for (let number = 1; folder.has(name); number += 1) name = `${wanted}-${number}`;
  return name;
}

function linkLatest(folder: Folder): void {
  const newest = [...folder.keys()].at(-1);
  if (newest !== undefined) folder.set('latest', { kind: 'link', target: newest });
}
