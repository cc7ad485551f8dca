/** A storage that lives as long as the process: for tests and for looking at things once. */
import { errors } from '../errors.ts';
import { checkName, checkPrefix } from './file-names.ts';
import type { ByteRange, Storage, StoredFile } from './storage.ts';

export class MemoryStorage implements Storage {
  readonly location: string;
  readonly concurrency = 8;
  readonly #files: Map<string, Buffer>;

  /** Storages over the same map see the same files. */
  constructor(name = 'memory', files: Map<string, Buffer> = new Map()) {
    this.location = `memory:${name}`;
    this.#files = files;
  }

  async read(name: string, range?: ByteRange): Promise<Buffer> {
    checkName(name);
    const file = this.#files.get(name);
    if (!file) throw errors.notInStorage([name, this.location]);
    const { offset, length } = range ?? { offset: 0, length: file.length };
    if (offset + length > file.length) {
      const wanted = `wanted ${length} bytes at ${offset} of ${file.length}`;
      throw errors.shortRead([name, wanted]);
    }
    const copy = Buffer.allocUnsafeSlow(length);
    file.copy(copy, 0, offset, offset + length);
    return copy;
  }

  async write(name: string, parts: readonly Uint8Array[]): Promise<void> {
    checkName(name);
    this.#files.set(name, Buffer.concat(parts));
  }

  async *list(prefix: string): AsyncIterable<StoredFile> {
    checkPrefix(prefix);
    for (const [name, file] of [...this.#files]) {
      if (name.startsWith(prefix)) yield { name, sizeBytes: file.length };
    }
  }

  async stat(name: string): Promise<StoredFile | undefined> {
    checkName(name);
    const file = this.#files.get(name);
    return file ? { name, sizeBytes: file.length } : undefined;
  }

  async remove(name: string): Promise<void> {
    checkName(name);
    this.#files.delete(name);
  }

  async close(): Promise<void> {}
}
