/** A place that keeps named, immutable byte strings: a local directory, a bucket, memory. */

export type StoredFile = {
  /** `/`-separated, relative to the repository's root: `data/ab/ab12…`, `holdfast/points/…`. */
  name: string;
  sizeBytes: number;
};

export type ByteRange = { offset: number; length: number };

export interface Storage {
  /** For messages; free of secrets. */
  readonly location: string;
  /** How many operations at once are worth having. */
  readonly concurrency: number;
  /**
   * The whole file, or exactly the range. Throws `repository/not-in-storage` where the file is absent and
   * `repository/short-read` where the range goes past its end.
   */
  read(name: string, range?: ByteRange): Promise<Buffer>;
  /**
   * Stores the parts, one after another, as one file. When it resolves, the file is durable and visible whole; after a
   * crash it is there whole or not at all. Writing an existing name replaces it atomically.
   */
  write(name: string, parts: readonly Uint8Array[]): Promise<void>;
  /** All files whose name begins with the prefix, in no order. Temporary files aren't listed. */
  list(prefix: string): AsyncIterable<StoredFile>;
  /** Undefined where absent. */
  stat(name: string): Promise<StoredFile | undefined>;
  /** Durable when it resolves; removing what isn't there is no error. */
  remove(name: string): Promise<void>;
  /** Removes temporary files of writers that died more than a day ago, where this storage can have such. */
  removeLeftovers?(): Promise<void>;
  close(): Promise<void>;
}
