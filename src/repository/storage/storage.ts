/** A place that keeps named, immutable byte strings: a local directory, a bucket, memory. */

import type { BlobType } from '../names.ts';
import type { FileVersions } from './versions.ts';

export type StoredFile = {
  /** `/`-separated, relative to the repository's root: `data/ab/ab12…`, `holdfast/points/…`. */
  name: string;
  sizeBytes: number;
};

export type ByteRange = { offset: number; length: number };

/** What a file holds, where who reads or writes it knows: storages treat it accordingly, and work without it. */
export type FileHint = {
  /** Of a pack: data may lie in a cheaper class, trees are kept in a cache nearby. */
  blobs?: BlobType | undefined;
  /** To be read where it is stored, though a copy may lie nearby. */
  fresh?: boolean;
  /**
   * Memory to read so many bytes into, for who can, or undefined. What is read then lies at its beginning, and nobody
   * else looks into it.
   */
  room?: (bytes: number) => SharedArrayBuffer | undefined;
};

export type Patience = {
  /** Tries in all. Default 6: about 6 s of pauses at most. */
  attempts?: number;
  /** Longest first pause; doubles each time. */
  firstPauseMs?: number;
  /** No pause is longer. Default 10 s. */
  longestPauseMs?: number;
};

export interface Storage {
  /** For messages; free of secrets. */
  readonly location: string;
  /** How many operations at once are worth having. */
  readonly concurrency: number;
  /** Each operation crosses a network: copies of what is read often are worth keeping nearby. */
  readonly isRemote?: boolean;
  /**
   * Whether all who use it see at once what one of them has written or removed, as on a disk of this machine. Not where
   * machines go on for a while by what they saw before.
   */
  isSeenAtOnce?(): Promise<boolean>;
  /** Where the file lies on this machine, as it is: very many may be read there by other threads. */
  pathOf?(name: string): string;
  /** How patiently to try again what may pass; see `withRetries`. */
  readonly patience?: Patience;
  /** Where it keeps versions of files and can lock them. */
  readonly versions?: FileVersions;
  /**
   * The whole file, or exactly the range. Throws `repository/not-in-storage` where the file is absent and
   * `repository/short-read` where the range goes past its end.
   */
  read(name: string, range?: ByteRange, hint?: FileHint): Promise<Buffer>;
  /**
   * Stores the parts, one after another, as one file. When it resolves, the file is durable and visible whole; after a
   * crash it is there whole or not at all. Writing an existing name replaces it atomically.
   */
  write(name: string, parts: readonly Uint8Array[], hint?: FileHint): Promise<void>;
  /** All files whose name begins with the prefix, in no order. Temporary files aren't listed. */
  list(prefix: string): AsyncIterable<StoredFile>;
  /** The same names, for who needs no sizes, where those take longer. */
  listNames?(prefix: string): AsyncIterable<string>;
  /** Undefined where absent. */
  stat(name: string): Promise<StoredFile | undefined>;
  /** Durable when it resolves; removing what isn't there is no error. */
  remove(name: string): Promise<void>;
  /** Removes temporary files of writers that died more than a day ago, where this storage can have such. */
  removeLeftovers?(): Promise<void>;
  /**
   * Many at once, where that takes fewer operations; what `remove` promises holds for each, but what is locked is left
   * and named.
   */
  removeAll?(names: readonly string[]): Promise<string[]>;
  /** Milliseconds since 1970 by the storage's own clock, where it has one. */
  serverTimeMs?(): Promise<number>;
  close(): Promise<void>;
}
