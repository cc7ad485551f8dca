/** The same walk for those who take whole folders: entries are looked up many at a time and no object is made of each. */
import fs from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { EntryTable, OpenFolder, readMetadata, systemClock } from '#base';
import type { CaptureEvent } from '../source.ts';
import {
  absolute,
  entryEvent,
  join,
  LARGE_DIRECTORY_BYTES,
  problemEvent,
  SLICE_MS,
  SLOW_LOOKUP_MS,
  toBytes,
  WARM_ENTRIES,
  type WalkOptions,
  withAncestors,
} from './walk.ts';

/**
 * Where two of so many look-ups are slow, a disk or a network is what keeps them; one alone may be a thread that had to
 * leave its processor to others.
 */
const SLOW_WITHIN = 64;
/** Bounds the memory of a table at an eighth of a MiB. */
const PART_ENTRIES = 1024;

type Walk = {
  root: Buffer;
  rootDevice: bigint;
  options: WalkOptions;
  /** Changed directories and all above them; undefined: everything is visited. */
  needed: ReadonlySet<string> | undefined;
  /** Times out a turn: others get theirs. */
  pause: () => Promise<void>;
  /** Look-ups since the last slow one. */
  sinceSlow: number;
};

/** Folders that are still to be given, and after them the one that they lie in is to be left. */
type Frame = { path: string; folders: string[]; next: number };

/** Events as `Capture.events` gives them to those who take folders; else as `walkTree`. */
export async function* walkFolders(
  root: Buffer,
  options: WalkOptions,
): AsyncGenerator<CaptureEvent> {
  options.signal.throwIfAborted();
  const metadata = readMetadata(root);
  yield entryEvent(root, '', metadata);
  if (metadata.kind === 'dir') yield* walkBelow(root, metadata.deviceId, options);
}

/** All but the event of the root itself, which lies on that device. */
export async function* walkBelow(
  root: Buffer,
  rootDevice: bigint,
  options: WalkOptions,
): AsyncGenerator<CaptureEvent> {
  const { changedDirectories, signal } = options;
  const needed = changedDirectories && withAncestors(changedDirectories);
  const pause = slices(signal);
  const walk: Walk = { root, rootDevice, options, needed, pause, sinceSlow: SLOW_WITHIN };
  const stack = [yield* giveFolder(walk, '')];
  for (let frame = stack.at(-1); frame; frame = stack.at(-1)) {
    const folder = frame.folders[frame.next];
    frame.next += 1;
    if (folder !== undefined) stack.push(yield* giveFolder(walk, join(frame.path, folder)));
    else {
      stack.pop();
      yield { kind: 'leave', path: toBytes(frame.path) };
    }
    await pause();
  }
}

function slices(signal: AbortSignal): () => Promise<void> {
  let beganMs = systemClock.monotonicMs();
  return async () => {
    if (systemClock.monotonicMs() - beganMs < SLICE_MS) return;
    await setImmediate();
    signal.throwIfAborted();
    beganMs = systemClock.monotonicMs();
  };
}

/** What is in one folder; answers with the folders below that are to be given next. */
async function* giveFolder(walk: Walk, path: string): AsyncGenerator<CaptureEvent, Frame> {
  const frame: Frame = { path, folders: [], next: 0 };
  const at = absolute(walk, path);
  let opened: Opened;
  try {
    opened = await openFolder(walk, path, at);
  } catch (error) {
    yield problemEvent(path, error);
    return frame;
  }
  const { folder, names } = opened;
  try {
    for (let from = 0; from < names.length || from === 0; from += PART_ENTRIES) {
      const part = names.slice(from, from + PART_ENTRIES);
      const given = await lookUpPart(walk, { path, at, folder, names: part });
      const isPlain = given.others.length === 0;
      const isLast = from + PART_ENTRIES >= names.length;
      yield { kind: 'folder', path: toBytes(path), entries: given.table, isPlain, isLast };
      yield* given.others;
      for (const name of given.folders) frame.folders.push(name);
      await walk.pause();
    }
    return frame;
  } finally {
    folder.close();
  }
}

type Opened = { folder: OpenFolder; names: string[] };

/** Throws system errors. */
async function openFolder(walk: Walk, path: string, at: Buffer): Promise<Opened> {
  const folder = new OpenFolder(at);
  try {
    return { folder, names: await namesOf(walk, path, at) };
  } catch (error) {
    folder.close();
    throw error;
  }
}

/** Sorted, without what is excluded. Throws system errors. */
async function namesOf({ options }: Walk, path: string, at: Buffer): Promise<string[]> {
  const { exclusion } = options;
  const isLarge = fs.statSync(at).size > LARGE_DIRECTORY_BYTES;
  if (!exclusion) {
    const names = isLarge ? await fs.promises.readdir(at, 'latin1') : fs.readdirSync(at, 'latin1');
    return names.sort();
  }
  const typed = { encoding: 'latin1', withFileTypes: true } as const;
  const entries = isLarge ? await fs.promises.readdir(at, typed) : fs.readdirSync(at, typed);
  return entries
    .filter((entry) => !exclusion(join(path, entry.name), entry.isDirectory()))
    .map(({ name }) => name)
    .sort();
}

type Part = { path: string; at: Buffer; folder: OpenFolder; names: readonly string[] };
type Given = { table: EntryTable; others: CaptureEvent[]; folders: string[] };

async function lookUpPart(walk: Walk, part: Part): Promise<Given> {
  const { path, at, folder, names } = part;
  const given: Given = { table: new EntryTable(at, names.length), others: [], folders: [] };
  let warmedTo = 0;
  let beganMs = systemClock.monotonicMs();
  for (const [number, name] of names.entries()) {
    try {
      folder.lookUp(name, given.table);
      takeEntry(walk, path, name, given);
    } catch (error) {
      given.others.push(problemEvent(join(path, name), error));
    }
    walk.sinceSlow += 1;
    if (number + 1 < warmedTo) continue;
    const endedMs = systemClock.monotonicMs();
    const isSlow = number >= warmedTo && endedMs - beganMs >= SLOW_LOOKUP_MS;
    beganMs = endedMs;
    if (!isSlow) continue;
    const isOften = walk.sinceSlow < SLOW_WITHIN;
    walk.sinceSlow = 0;
    if (!isOften) continue;
    warmedTo = number + 1 + WARM_ENTRIES;
    await warm(at, names.slice(number + 1, warmedTo));
    walk.sinceSlow = -WARM_ENTRIES;
    beganMs = systemClock.monotonicMs();
  }
  return given;
}

/** The entry that was looked up last: it stays in the table, or what is to be said of it is said in another way. */
function takeEntry(
  { options, needed, rootDevice }: Walk,
  path: string,
  name: string,
  given: Given,
): void {
  const { table } = given;
  const entry = table.length - 1;
  const isFolder = table.kind(entry) === 'dir';
  const isElsewhere = options.oneFileSystem === true && table.deviceId(entry) !== rootDevice;
  if (isFolder && needed && !needed.has(join(path, name))) {
    table.truncate(entry);
    given.others.push({ kind: 'reuse', path: toBytes(join(path, name)) });
  } else if (isFolder) {
    if (!isElsewhere) given.folders.push(name);
    else given.others.push({ kind: 'leave', path: toBytes(join(path, name)) });
  } else if (isElsewhere) table.truncate(entry);
}

/** Brings entries into the kernel's cache, many at a time, so that looking them up is short again. */
async function warm(folder: Buffer, names: readonly string[]): Promise<void> {
  // Failures are found and told by the look-up itself.
  await Promise.allSettled(
    names.map((name) => fs.promises.lstat(absolute({ root: folder }, name))),
  );
}
