/**
 * Looks at paths that are going to be backed up. It needs little code: it can begin while everything else is loaded, and a
 * repository is opened.
 */
import path from 'node:path';
import { messageOf, readMetadata, systemClock, systemCode } from '#base';
import type { CaptureEvent } from '#sources';
import { describeFailure, walkElsewhere } from '#sources/files';
import { errors } from './errors.ts';
import { type ReadAhead, readAhead } from './read-ahead.ts';

export type LookAheadOptions = {
  /** In the syntax of .gitignore, relative to each path. */
  exclude?: readonly string[];
  oneFileSystem?: boolean;
  signal?: AbortSignal;
};

/** A walk that has begun before there is a repository to hold it against. */
export type BackupAhead = { startedAtMs: number; events: ReadAhead<CaptureEvent> };

/** Some hundred thousand entries, as their tables lie in memory. */
const AHEAD_BYTES = 16 * 1024 * 1024;
const ENTRY_BYTES = 160;

/**
 * Begins to look at the paths, while a repository is being opened for instance; `backupPaths` goes on with it. Never
 * throws: what is wrong is told there.
 */
export function lookAhead(paths: readonly string[], options: LookAheadOptions = {}): BackupAhead {
  const startedAtMs = systemClock.nowMs();
  const signal = options.signal ?? new AbortController().signal;
  const events = eventsOf(absolutePaths(paths), { ...options, signal });
  return { startedAtMs, events: readAhead(events, bytesOf, AHEAD_BYTES) };
}

function bytesOf(event: CaptureEvent): number {
  return ENTRY_BYTES * (event.kind === 'folder' ? event.entries.length + 1 : 1);
}

/** As a snapshot names them. */
export function absolutePaths(paths: readonly string[]): string[] {
  return withoutNested(paths.map((given) => path.resolve(given)));
}

/** Sorted, each once, and none that lies inside another. */
function withoutNested(paths: readonly string[]): string[] {
  const kept: string[] = [];
  for (const one of [...new Set(paths)].sort((a, b) => a.length - b.length)) {
    const inside = kept.some((above) => one.startsWith(above === '/' ? '/' : `${above}/`));
    if (!inside) kept.push(one);
  }
  return kept.sort();
}

async function* eventsOf(
  paths: readonly string[],
  options: LookAheadOptions & { signal: AbortSignal },
): AsyncGenerator<CaptureEvent> {
  const given = new Set<string>();
  let found = 0;
  let firstFailure: unknown;
  for (const one of paths) {
    const root = Buffer.from(one);
    const inside = (event: CaptureEvent): CaptureEvent => ({
      ...event,
      path: joined(root.subarray(1), event.path),
    });
    try {
      readMetadata(root);
    } catch (error) {
      firstFailure ??= error;
      const what = systemCode(error) === 'ENOENT' ? 'is not there' : describeFailure(error);
      yield inside({ kind: 'problem', path: Buffer.alloc(0), what });
      continue;
    }
    found += 1;
    yield* foldersAbove(one, given);
    const walk = walkElsewhere(root, options);
    for await (const event of walk) yield inside(event);
  }
  if (found === 0)
    throw errors.nothingToCapture([paths.join(', ')], {
      cause: firstFailure,
      facts: { why: messageOf(firstFailure) },
    });
}

/** Entries of the folders from the root down to the path, each once over all paths. */
function* foldersAbove(one: string, given: Set<string>): Generator<CaptureEvent> {
  const parts = one.split('/').slice(1, -1);
  for (let depth = 1; depth <= parts.length; depth += 1) {
    const folder = `/${parts.slice(0, depth).join('/')}`;
    if (given.has(folder)) continue;
    given.add(folder);
    yield {
      kind: 'entry',
      path: Buffer.from(folder.slice(1)),
      metadata: readMetadata(Buffer.from(folder)),
      content: { from: 'nothing' },
    };
  }
}

function joined(prefix: Buffer, inside: Buffer): Buffer {
  if (prefix.length === 0) return inside;
  if (inside.length === 0) return prefix;
  // Thousands wait to be taken: each with memory of its own, for one that shared it would keep all of that.
  const path = Buffer.allocUnsafeSlow(prefix.length + 1 + inside.length);
  prefix.copy(path);
  path[prefix.length] = SLASH;
  inside.copy(path, prefix.length + 1);
  return path;
}

const SLASH = 0x2f;
