/** One session of writing into a repository, under one shared lock. */

import type { ReadingCheck } from '#base';
import type { Compression } from '../crypto/compression.ts';

export type Chunking =
  /** Cut where the content says so (FastCDC; restic's Rabin cuts in an adopted repository). */
  | { kind: 'content' }
  /** Cut every `sizeBytes`: for databases and images, whose pages are aligned. `compression`: as usual by default. */
  | { kind: 'fixed'; sizeBytes: number; compression?: Compression };

export type SavedContent = {
  /** Ids of the data blobs, 32 bytes each, in order. */
  ids: Buffer;
  /** Bytes that were read: differs from what lstat said where the file changed meanwhile. */
  sizeBytes: number;
  /** Plain bytes of blobs that the repository didn't hold before. */
  newBytes: number;
};

export type SavedFile = SavedContent & {
  /** When it was read to its end, it had another size than expected, or another time where one was. */
  isChanged: boolean;
  /** Whether it has extended attributes, or doesn't tell. */
  mayHaveXattrs: boolean;
};

/** Node's own system error (ENOENT, EACCES, EIO): this file can't be read. */
export type FailedFile = { failure: Error };

/** `path`: absolute, as latin1: one character for each byte. `mtimeMs`: as Node's `Stats` have it; NaN where any will do. */
export type FileToSave = { path: string; sizeBytes: number; mtimeMs: number };

/**
 * A regular file that others write to meanwhile, by its canonical path: behind a link it isn't read (`ESTALE`). Exactly `sizeBytes` of it are taken, cut every `chunkBytes`:
 * what was cut off since reads as zeros, what has grown is left out.
 */
export type LiveFile = {
  path: Buffer;
  sizeBytes: number;
  chunkBytes: number;
  check?: ReadingCheck;
};

/** `wrong`: offsets of the units that the check says are wrong, however often they are read. */
export type SavedLiveFile = SavedContent & { wrong: number[] };

export type WriterStats = {
  dataBlobs: number;
  treeBlobs: number;
  /** Plain bytes of new blobs, and what they take in packs. */
  newBytes: number;
  storedBytes: number;
  packs: number;
};

export interface RepositoryWriter {
  /**
   * Reads, cuts, hashes, compresses and seals a regular file in a worker thread. Many calls may be under way; calls are
   * handed over in batches. `expectedMtimeMs`: as Node's `Stats` have it. `onSaved`: told of so many further bytes of a
   * large file as they are done. Rejects with Node's own system error (ENOENT, EACCES, EIO) where the file can't be read.
   */
  saveFile(
    absolutePath: Buffer,
    expectedSizeBytes: number,
    expectedMtimeMs?: number,
    onSaved?: (bytes: number) => void,
  ): Promise<SavedFile>;
  /**
   * The same for some small files at once, which costs far less than one by one: resolves to what became of each, in
   * their order. What it gives holds the memory of some hundred others as long as it is held.
   */
  saveFiles(files: readonly FileToSave[]): Promise<(SavedFile | FailedFile)[]>;
  /**
   * The same for a file that others write to meanwhile. Resolves to undefined where it is gone. `taken` is called when all of
   * its parts are on their way to a worker; `mayGoOn` is asked, and waited for, before each part of so many bytes.
   */
  saveLiveFile(
    file: LiveFile,
    steps: { taken: () => void; mayGoOn: (bytes: number) => Promise<void> | undefined },
  ): Promise<SavedLiveFile | undefined>;
  /** The same for bytes that arrive as a stream; pulls no faster than the workers keep up. */
  saveStream(bytes: AsyncIterable<Uint8Array>, chunking: Chunking): Promise<SavedContent>;
  /** Saves an encoded tree (see `encodeTree`); resolves to its hex id. */
  saveTree(encoded: readonly Uint8Array[]): Promise<string>;
  /**
   * The same for a tree of any size (see `encodeTreeInParts`): its parts are asked for as they are worked off, and only
   * what is stored of them is held. It gets a pack of its own: not for small ones. Throws `repository/tree-too-large`
   * where no reader could take it.
   */
  saveLargeTree(parts: Iterable<Uint8Array>): Promise<string>;
  /** Resolves when every pack and index is durable. A snapshot may be saved only after that. Releases the lock. */
  finish(): Promise<WriterStats>;
  /** Gives up: stops the workers and releases the lock. What was written stays as harmless unused blobs. */
  abort(): Promise<void>;
}
