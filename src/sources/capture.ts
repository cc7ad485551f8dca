/** What a source gives when it captures its store. */
import type { EntryTable, FileMetadata, ReadingCheck } from '#base';
import type { JournalPosition } from './journal.ts';

export type EntryContent =
  /** A regular file on this host, to be read by path. */
  | { from: 'path'; absolutePath: Buffer }
  /** Bytes handed over, each piece holding until the next is asked for; to be consumed before the next event is. */
  | { from: 'stream'; bytes: AsyncIterable<Uint8Array>; chunkSizeBytes: number }
  /**
   * A regular file on this host that others write to meanwhile, to be read by its canonical path: as many bytes as its metadata says, zeros
   * where it was cut off since. Nothing is captured where it is gone. Only where the caller takes live files. `ended` is
   * called once, when all of it was read or won't be; until then more events may be asked for.
   */
  | {
      from: 'live';
      absolutePath: Buffer;
      chunkSizeBytes: number;
      check?: ReadingCheck;
      ended: (end: LiveEnd) => void;
    }
  /** Blocks of `chunkSizeBytes` (the last one may be shorter), of which the previous capture holds some. */
  | { from: 'blocks'; blocks: AsyncIterable<ContentBlock>; chunkSizeBytes: number }
  /** No content: everything but regular files. */
  | { from: 'nothing' };

/** `wrong`: offsets of what the check says is wrong, however often it is read. */
export type LiveEnd =
  | { kind: 'read'; wrong: readonly number[] }
  | { kind: 'gone' }
  | { kind: 'failed'; error: unknown };

export type ContentBlock =
  /** As the previous capture holds it: its id there, 32 bytes. */
  | { from: 'before'; id: Uint8Array; sizeBytes: number }
  /** Left alone once it was given. */
  | { from: 'here'; bytes: Buffer };

export type CaptureEvent =
  /** Path relative to the store's root, raw bytes, `/`-separated; the root itself is the empty path. */
  | { kind: 'entry'; path: Buffer; metadata: FileMetadata; content: EntryContent }
  /**
   * Entries of a directory, sorted by the bytes of their names, all of whose files lie on this host: instead of an
   * `entry` for each, and only where the caller takes folders. A large directory comes in several parts, one right after
   * the other, before anything else. `isPlain`: of each directory in this part a `folder` or a `problem` follows, and of
   * whatever isn't in it nothing.
   */
  | { kind: 'folder'; path: Buffer; entries: EntryTable; isPlain: boolean; isLast: boolean }
  /** Everything below this directory was given: it may be sealed now. Optional; due after a `folder`. */
  | { kind: 'leave'; path: Buffer }
  /** Take this directory whole from the previous capture: nothing below it changed. Only where `previous` was given. */
  | { kind: 'reuse'; path: Buffer }
  /** This entry couldn't be captured; the rest goes on, and the capture is `partial`. */
  | { kind: 'problem'; path: Buffer; what: string };

export type CaptureOutcome = {
  start: JournalPosition;
  end: JournalPosition;
  clock: { offsetMs: number; uncertaintyMs: number };
  /** JSON values that `recover` will need. */
  facts: Record<string, unknown>;
  /** What went wrong with the capture as a whole though its data is good: it counts as `partial`. */
  problems?: string[];
};

export interface Capture {
  readonly kind: 'base' | 'files';
  /** Absolute root as a snapshot's `paths` shows it: the folder, or `/postgres/<store>`. */
  readonly root: string;
  readonly expectedBytes: number | undefined;
  events(): AsyncIterable<CaptureEvent>;
  /**
   * After the events are exhausted and all contents were read: hooks end here. Call it once. Throws where the capture
   * as a whole is not to be trusted.
   */
  outcome(): Promise<CaptureOutcome>;
  /** Frees connections and hooks; may be called at any time, twice too. */
  close(): Promise<void>;
}

export type CaptureOptions = {
  /** Directories changed since the previous capture, where a watcher knows; all others may be reused. */
  changedDirectories?: ReadonlySet<string>;
  /** True where the previous capture is at hand, so that `reuse` may be said. */
  hasPrevious: boolean;
  /** True where events of the kind `folder` are taken: a source may then give them. */
  takesFolders?: boolean;
  /** True where content that is `live` is taken: a source may then give it in the place of streams. */
  takesLiveFiles?: boolean;
};
