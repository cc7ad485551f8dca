/**
 * Reads a tree of files depth first, each directory's entries in the order of their bytes. Paths are handled as strings
 * with one character for each byte (latin1): they compare as bytes do, and no name is lost. File system calls are
 * synchronous, in slices of a few milliseconds, because they are many and short.
 */
import fs from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { type FileMetadata, messageOf, readMetadata, systemClock, systemCode } from '#base';
import type { CaptureEvent } from '../source.ts';
import type { Exclusion } from './exclusion.ts';

export type WalkOptions = {
  signal: AbortSignal;
  exclusion?: Exclusion | undefined;
  /** Directories on other devices than the root's are given, but not what is in them; other entries there are left out. */
  oneFileSystem?: boolean;
  /**
   * Directories (as `CaptureOptions` has them) of which alone it is known that something changed: a directory that is
   * neither one of them nor above one is said to be reused.
   */
  changedDirectories?: ReadonlySet<string> | undefined;
};

type Frame = {
  /** Relative to the root; '' for the root itself. */
  path: string;
  /** Undefined until it is listed. */
  entries: fs.Dirent[] | undefined;
  next: number;
  /** Entries before this index were looked up ahead, in parallel. */
  warmedTo: number;
};

type Walk = {
  root: Buffer;
  rootDevice: bigint;
  options: WalkOptions;
  /** Changed directories and all above them; undefined: everything is visited. */
  needed: ReadonlySet<string> | undefined;
  stack: Frame[];
  lookupTookMs: number;
};

export const SLICE_MS = 8;
// A look-up that takes longer came from a disk or a network: the next ones are then asked for in parallel.
export const SLOW_LOOKUP_MS = 0.5;
export const WARM_ENTRIES = 64;
// A directory file of this size has a few thousand entries; larger ones are read in a thread.
export const LARGE_DIRECTORY_BYTES = 256 * 1024;

/**
 * Events as `Capture.events` gives them; the root comes first with the empty path, and needn't be a directory.
 * What can't be read is a `problem`; only a root that can't be looked up rejects, with the system error.
 * Memory: the names of the directories from the root to where it is.
 */
export async function* walkTree(root: Buffer, options: WalkOptions): AsyncGenerator<CaptureEvent> {
  const { changedDirectories, signal } = options;
  signal.throwIfAborted();
  const metadata = readMetadata(root);
  yield entryEvent(root, '', metadata);
  if (metadata.kind !== 'dir') return;
  const stack = [frameOf('')];
  const needed = changedDirectories && withAncestors(changedDirectories);
  const walk: Walk = {
    root,
    rootDevice: metadata.deviceId,
    options,
    needed,
    stack,
    lookupTookMs: 0,
  };
  let sliceStartMs = systemClock.monotonicMs();
  for (let frame = stack.at(-1); frame; frame = stack.at(-1)) {
    if (systemClock.monotonicMs() - sliceStartMs > SLICE_MS) {
      await setImmediate();
      signal.throwIfAborted();
      sliceStartMs = systemClock.monotonicMs();
    }
    if (!frame.entries) {
      const problem = await fillFrame(walk, frame);
      if (problem) yield problem;
      continue;
    }
    const entry = frame.entries[frame.next];
    if (!entry) {
      stack.pop();
      yield { kind: 'leave', path: toBytes(frame.path) };
      continue;
    }
    if (walk.lookupTookMs > SLOW_LOOKUP_MS && frame.next >= frame.warmedTo) await warm(walk, frame);
    frame.next += 1;
    const event = visit(walk, join(frame.path, entry.name), entry.isDirectory());
    if (event) yield event;
  }
}

/** One entry: what is to be said of it, or undefined where it is left out. Goes into directories by a new frame. */
function visit(walk: Walk, path: string, isDirectory: boolean): CaptureEvent | undefined {
  const { options, needed } = walk;
  if (options.exclusion?.(path, isDirectory)) return undefined;
  if (needed && isDirectory && !needed.has(path)) return { kind: 'reuse', path: toBytes(path) };
  const absolutePath = absolute(walk, path);
  const startMs = systemClock.monotonicMs();
  let metadata: FileMetadata;
  try {
    metadata = readMetadata(absolutePath);
  } catch (error) {
    return problemEvent(path, error);
  } finally {
    walk.lookupTookMs = systemClock.monotonicMs() - startMs;
  }
  const isElsewhere = options.oneFileSystem === true && metadata.deviceId !== walk.rootDevice;
  if (metadata.kind === 'dir') {
    const frame = frameOf(path);
    if (isElsewhere) frame.entries = [];
    walk.stack.push(frame);
  } else if (isElsewhere) return undefined;
  return entryEvent(absolutePath, path, metadata);
}

/** Lists a directory; one that can't be listed stays empty, and the problem is given back. */
async function fillFrame(walk: Walk, frame: Frame): Promise<CaptureEvent | undefined> {
  try {
    frame.entries = await listDirectory(absolute(walk, frame.path));
    return undefined;
  } catch (error) {
    frame.entries = [];
    return problemEvent(frame.path, error);
  }
}

/** Names as bytes (latin1), in their order. Throws system errors. */
export async function listDirectory(directory: Buffer): Promise<fs.Dirent[]> {
  const options = { encoding: 'latin1', withFileTypes: true } as const;
  const isLarge = fs.statSync(directory).size > LARGE_DIRECTORY_BYTES;
  const entries = isLarge
    ? await fs.promises.readdir(directory, options)
    : fs.readdirSync(directory, options);
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Brings the next entries into the kernel's cache, many at a time, so that looking them up is short again. */
async function warm(walk: Walk, frame: Frame): Promise<void> {
  const ahead = frame.entries?.slice(frame.next, frame.next + WARM_ENTRIES) ?? [];
  // Failures are found and told by the look-up itself.
  await Promise.allSettled(
    ahead.map((entry) => fs.promises.lstat(absolute(walk, join(frame.path, entry.name)))),
  );
  frame.warmedTo = frame.next + ahead.length;
}

function frameOf(path: string): Frame {
  return { path, entries: undefined, next: 0, warmedTo: 0 };
}

export function entryEvent(
  absolutePath: Buffer,
  path: string,
  metadata: FileMetadata,
): CaptureEvent {
  const content = metadata.kind === 'file' ? ({ from: 'path', absolutePath } as const) : NO_CONTENT;
  return { kind: 'entry', path: toBytes(path), metadata, content };
}

const NO_CONTENT = { from: 'nothing' } as const;

export function problemEvent(path: string, error: unknown): CaptureEvent {
  return { kind: 'problem', path: toBytes(path), what: describeFailure(error) };
}

/** What a system error means for whoever reads the list of problems. */
export function describeFailure(error: unknown): string {
  const code = systemCode(error);
  return (code && FAILURES[code]) ?? messageOf(error);
}

const FAILURES: Record<string, string> = {
  ENOENT: 'vanished while it was captured',
  ENOTDIR: 'was replaced while it was captured',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EIO: 'the disk gave an input/output error',
  ESTALE: 'the network file system lost it (stale handle)',
  ENAMETOOLONG: 'its path is longer than the system can open',
  ELOOP: 'too many levels of symbolic links',
};

export function withAncestors(directories: ReadonlySet<string>): ReadonlySet<string> {
  const needed = new Set<string>();
  for (const directory of directories) {
    let path = directory;
    while (!needed.has(path)) {
      needed.add(path);
      path = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    }
  }
  return needed;
}

export function absolute({ root }: { root: Buffer }, path: string): Buffer {
  return path === '' ? root : Buffer.concat([root, SLASH, toBytes(path)]);
}

export const SLASH = Buffer.from('/');

export function join(parent: string, name: string): string {
  return parent === '' ? name : `${parent}/${name}`;
}

export function toBytes(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}
