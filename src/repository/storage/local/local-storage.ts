/**
 * A folder of a local (or mounted) file system. Files are written beside their name, synced and renamed, as restic does;
 * they are read-only afterwards, and folders are the owner's alone.
 */
import type { Dirent } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { randomBytes, syncDirectory, systemClock, systemCode, writeFileDurably } from '#base';
import { checkName, checkPrefix } from '../file-names.ts';
import type { ByteRange, FileHint, Storage, StoredFile } from '../storage.ts';
import { isOfOneMachine } from './file-systems.ts';
import { readFile } from './read-file.ts';
import { storageError } from './system-errors.ts';

const FILE_MODE = 0o400;
const FOLDER_MODE = 0o700;
const LEFTOVER_AGE_MS = 24 * 3_600_000;
const STATS_AT_ONCE = 32;

/** Ours (`.tmp-1a2b…`) and restic's (`-tmp-123`). */
const TEMPORARY = /[.-]tmp-[0-9a-f]+$/;

export class LocalStorage implements Storage {
  readonly location: string;
  readonly concurrency = 4;
  readonly #root: string;

  constructor(root: string) {
    this.#root = path.resolve(root);
    this.location = this.#root;
  }

  async isSeenAtOnce(): Promise<boolean> {
    return await isOfOneMachine(this.#root);
  }

  async read(name: string, range?: ByteRange, hint?: FileHint): Promise<Buffer> {
    checkName(name);
    return this.#tell('reading', name, () => readFile(this.#pathOf(name), name, range, hint?.room));
  }

  async write(name: string, parts: readonly Uint8Array[]): Promise<void> {
    checkName(name);
    const file = this.#pathOf(name);
    await this.#tell('writing', name, async () => {
      try {
        await writeFileDurably(file, parts, { mode: FILE_MODE });
      } catch (error) {
        if (systemCode(error) !== 'ENOENT') throw error;
        await makeFolderDurably(path.dirname(file));
        await writeFileDurably(file, parts, { mode: FILE_MODE });
      }
    });
  }

  async *list(prefix: string): AsyncIterable<StoredFile> {
    const names: string[] = [];
    const files = async () => Promise.all(names.splice(0).map((name) => this.stat(name)));
    for await (const name of this.listNames(prefix)) {
      if (names.push(name) < STATS_AT_ONCE) continue;
      for (const file of await files()) if (file) yield file;
    }
    for (const file of await files()) if (file) yield file;
  }

  async *listNames(prefix: string): AsyncIterable<string> {
    checkPrefix(prefix);
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    yield* this.#walk(folder, prefix);
  }

  async stat(name: string): Promise<StoredFile | undefined> {
    checkName(name);
    try {
      const stats = await fs.stat(this.#pathOf(name));
      return stats.isFile() ? { name, sizeBytes: stats.size } : undefined;
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw storageError(error, 'looking at', name, this.location);
    }
  }

  async remove(name: string): Promise<void> {
    checkName(name);
    const file = this.#pathOf(name);
    try {
      await fs.unlink(file);
      await syncDirectory(path.dirname(file));
    } catch (error) {
      if (!isAbsence(error)) throw storageError(error, 'removing', name, this.location);
    }
  }

  async removeLeftovers(): Promise<void> {
    const oldestMs = systemClock.nowMs() - LEFTOVER_AGE_MS;
    for await (const { file, mtimeMs } of this.#temporaries(this.#root)) {
      if (mtimeMs < oldestMs) await fs.rm(file, { force: true });
    }
  }

  /** The file system's: of a mounted folder, that of the machine which serves it. */
  async serverTimeMs(): Promise<number> {
    const file = this.#pathOf(`.tmp-${randomBytes(6).toString('hex')}`);
    return this.#tell('writing', path.basename(file), async () => {
      try {
        await fs.writeFile(file, '', { flag: 'wx', mode: 0o600 });
        return (await fs.stat(file)).mtimeMs;
      } finally {
        await fs.rm(file, { force: true });
      }
    });
  }

  async close(): Promise<void> {}

  /** `folder` ends with `/` or is empty. */
  async *#walk(folder: string, prefix: string): AsyncIterable<string> {
    const folders: string[] = [];
    for (const entry of await this.#entriesOf(folder)) {
      const name = folder + entry.name;
      if (entry.isDirectory()) {
        const inside = `${name}/`;
        if (inside.startsWith(prefix) || prefix.startsWith(inside)) folders.push(inside);
      } else if (entry.isFile() && name.startsWith(prefix) && !TEMPORARY.test(name)) {
        yield name;
      }
    }
    for (const inside of folders) yield* this.#walk(inside, prefix);
  }

  async #entriesOf(folder: string): Promise<Dirent[]> {
    try {
      return await fs.readdir(path.join(this.#root, folder), { withFileTypes: true });
    } catch (error) {
      if (isAbsence(error)) return [];
      throw storageError(error, 'listing', folder || '.', this.location);
    }
  }

  async *#temporaries(folder: string): AsyncIterable<{ file: string; mtimeMs: number }> {
    for (const entry of await fs.readdir(folder, { withFileTypes: true })) {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory()) yield* this.#temporaries(file);
      else if (entry.isFile() && TEMPORARY.test(entry.name)) {
        yield { file, mtimeMs: (await fs.stat(file)).mtimeMs };
      }
    }
  }

  pathOf(name: string): string {
    checkName(name);
    return this.#pathOf(name);
  }

  #pathOf(name: string): string {
    return path.join(this.#root, name);
  }

  async #tell<T>(operation: string, name: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw storageError(error, operation, name, this.location);
    }
  }
}

/** Each new folder's entry is synced in its parent, else a crash could take the folder with what was acknowledged. */
async function makeFolderDurably(folder: string): Promise<void> {
  try {
    await fs.mkdir(folder, { mode: FOLDER_MODE });
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return;
    if (systemCode(error) !== 'ENOENT') throw error;
    await makeFolderDurably(path.dirname(folder));
    await fs.mkdir(folder, { mode: FOLDER_MODE }).catch((again) => {
      if (systemCode(again) !== 'EEXIST') throw again;
    });
  }
  await syncDirectory(path.dirname(folder));
}

function isAbsence(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}
