/**
 * A folder on this machine with copies of what is read often from a repository far away: indexes, snapshots, packs of
 * trees, and files that were derived from them. Everything in it can be had again, so it may be deleted at any time,
 * by anybody, and what is damaged in it counts as absent. Many processes may share it: files appear whole, by a rename.
 *
 * Derived files are for whoever computes something slow out of the repository, such as a table of all indexes. Name
 * them so that the name changes with what they were made of; older ones go when they weren't used for long.
 */
import fs, { type FileHandle } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { randomBytes, systemClock, systemCode } from '#base';
import { removeUnusedCaches, shrinkFolder } from './shrink.ts';

export type CacheOptions = {
  /** Default: `holdfast` below XDG_CACHE_HOME or `~/.cache`. Each repository has a folder of its own in it. */
  folder?: string;
  /** What isn't used for longest goes first. Default 4 GiB for each repository. */
  maxBytes?: number;
  /** Called where something can't be kept: the disk is full, or may not be written to. */
  onRefused?: (error: Error) => void;
};

export interface Cache {
  readonly folder: string;
  /**
   * A derived file, or undefined where it is absent or damaged. `allocate` gives the memory that it is read into, for
   * example shared memory; it is called at most once, and what it gave is then filled.
   */
  read(
    name: string,
    allocate?: (lengthBytes: number) => Uint8Array,
  ): Promise<Uint8Array | undefined>;
  /** Replaces it. Where the disk is full or the folder can't be written, nothing is kept and nothing is said. */
  write(name: string, parts: readonly Uint8Array[]): Promise<void>;
  remove(name: string): Promise<void>;
}

const DEFAULT_MAX_BYTES = 4 * 2 ** 30;
const CHECKSUM_BYTES = 4;

/** A file's time of use is renewed at most so often. */
const USE_NOTED_EVERY_MS = 3_600_000;
const SHRINK_EVERY_BYTES = 256 * 2 ** 20;

/** Reading in one go is limited to 2 GiB by the system. */
const READ_AT_ONCE_BYTES = 2 ** 30;

export class LocalCache implements Cache {
  readonly folder: string;
  readonly #maxBytes: number;
  readonly #onRefused: (error: Error) => void;
  #writtenBytes = 0;

  /** Makes nothing yet. */
  constructor(repositoryId: string, options: CacheOptions = {}) {
    this.folder = path.join(options.folder ?? defaultFolder(), repositoryId);
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#onRefused = options.onRefused ?? ignored;
  }

  /** For whoever keeps derived files in a way of its own; they are tended with the others. */
  get derivedFolder(): string {
    return path.join(this.folder, 'derived');
  }

  async read(
    name: string,
    allocate: (lengthBytes: number) => Uint8Array = (bytes) => Buffer.allocUnsafeSlow(bytes),
  ): Promise<Uint8Array | undefined> {
    return this.#reading(derived(name), async (handle, size) => {
      if (size < CHECKSUM_BYTES) return undefined;
      const bytes = allocate(size - CHECKSUM_BYTES);
      await readInto(handle, bytes, 0);
      const sum = new Uint8Array(CHECKSUM_BYTES);
      await readInto(handle, sum, bytes.length);
      return checksum([bytes]).equals(sum) ? bytes : undefined;
    });
  }

  async write(name: string, parts: readonly Uint8Array[]): Promise<void> {
    await this.put(derived(name), [...parts, checksum(parts)]);
  }

  async remove(name: string): Promise<void> {
    await this.drop(derived(name));
  }

  // ---------------------------------------------------------------- copies of the repository's files, by their names

  /** The whole copy or a range of it; undefined where it is absent or shorter. What it holds isn't verified here. */
  async take(
    name: string,
    range?: { offset: number; length: number },
  ): Promise<Buffer | undefined> {
    return this.#reading(name, async (handle, size) => {
      const { offset, length } = range ?? { offset: 0, length: size };
      if (offset + length > size) return undefined;
      const bytes = Buffer.allocUnsafeSlow(length);
      await readInto(handle, bytes, offset);
      return bytes;
    });
  }

  /** Keeps a copy; resolves to false where that fails: the repository has it. */
  async put(name: string, parts: readonly Uint8Array[]): Promise<boolean> {
    const file = path.join(this.folder, name);
    const temporary = `${file}.tmp-${randomBytes(6).toString('hex')}`;
    try {
      await fs.mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
      const handle = await fs.open(temporary, 'wx', 0o600);
      try {
        for (const part of parts) await handle.writeFile(part);
      } finally {
        await handle.close();
      }
      // No sync: a file that a crash cut is noticed when it is read.
      await fs.rename(temporary, file);
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      await fs.rm(temporary, { force: true }).catch(ignored);
      this.#onRefused(error as Error);
      return false;
    }
    this.#writtenBytes += parts.reduce((sum, part) => sum + part.length, 0);
    if (this.#writtenBytes >= Math.min(SHRINK_EVERY_BYTES, this.#maxBytes / 4)) {
      this.#writtenBytes = 0;
      await shrinkFolder(this.folder, this.#maxBytes);
    }
    return true;
  }

  async drop(name: string): Promise<void> {
    await fs.rm(path.join(this.folder, name), { force: true }).catch(ignored);
  }

  /** Names of the copies below a folder's name, which ends with `/`. */
  async namesIn(folder: string): Promise<string[]> {
    const names = await fs.readdir(path.join(this.folder, folder)).catch((error: unknown) => {
      if (systemCode(error) === undefined) throw error;
      return [];
    });
    return names.map((name) => folder + name);
  }

  /** At the end of its use: down to the limit, and the caches of repositories that nobody used for long go. */
  async tidy(): Promise<void> {
    await shrinkFolder(this.folder, this.#maxBytes);
    await removeUnusedCaches(this.folder);
  }

  async #reading<T>(
    name: string,
    work: (handle: FileHandle, size: number) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    let handle: FileHandle;
    try {
      handle = await fs.open(path.join(this.folder, name), 'r');
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return undefined;
    }
    try {
      const { size, mtimeMs } = await handle.stat();
      const result = await work(handle, size);
      if (result !== undefined) await this.#noteUse(handle, mtimeMs);
      return result;
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
      return undefined;
    } finally {
      await handle.close();
    }
  }

  async #noteUse(handle: FileHandle, mtimeMs: number): Promise<void> {
    const nowMs = systemClock.nowMs();
    if (nowMs - mtimeMs < USE_NOTED_EVERY_MS) return;
    // Somebody else's cache can be read without it.
    await handle.utimes(nowMs / 1000, nowMs / 1000).catch(ignored);
  }
}

function defaultFolder(): string {
  const base = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
  return path.join(base, 'holdfast');
}

/** A cache that can't be tended is no reason to fail: the repository has everything. */
function ignored(): void {}

function derived(name: string): string {
  return `derived/${name}`;
}

function checksum(parts: readonly Uint8Array[]): Buffer {
  let sum = 0;
  for (const part of parts) sum = crc32(part, sum);
  const bytes = Buffer.alloc(CHECKSUM_BYTES);
  bytes.writeUInt32LE(sum);
  return bytes;
}

/** Fails with a system code where the file ends before. */
async function readInto(handle: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  let have = 0;
  while (have < bytes.length) {
    const length = Math.min(bytes.length - have, READ_AT_ONCE_BYTES);
    const { bytesRead } = await handle.read(bytes, have, length, at + have);
    if (bytesRead === 0) throw Object.assign(new Error('cut while it was read'), { code: 'EIO' });
    have += bytesRead;
  }
}
