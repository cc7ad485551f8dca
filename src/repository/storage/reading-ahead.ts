import { inLanes } from '../in-lanes.ts';
import type { FileHint, Storage, StoredFile } from './storage.ts';

const MOST_BYTES = 4 * 1024 * 1024;

/** So many small files of a folder or more are read in other threads: with fewer, one has read them when those started. */
export const FILES_WORTH_THREADS = 2_000;

/**
 * The same storage. The files of a folder, which are never written anew under their names, are read at once, as many as
 * fit into a bound; each is given once to whoever asks first. For the time in which a key is derived and nothing else
 * can be done.
 */
export function readingAhead(storage: Storage, folder: string): Storage {
  const ahead = new Map<string, Promise<Buffer>>();
  const readOne = async ({ name }: StoredFile) => {
    const reading = storage.read(name);
    ahead.set(name, reading);
    // What fails is read again, and told, when somebody asks.
    await reading.catch(() => ahead.delete(name));
  };
  void listSome(storage, folder)
    .then((files) => inLanes(files, storage.concurrency, readOne))
    .catch(() => {});
  const read: Storage['read'] = async (name, range, hint?: FileHint) => {
    const reading = range || hint?.fresh ? undefined : ahead.get(name);
    if (reading && ahead.delete(name)) return await reading.catch(() => storage.read(name));
    return await storage.read(name, range, hint);
  };
  return new Proxy(storage, {
    get(target, property) {
      if (property === 'read') return read;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

async function listSome(storage: Storage, folder: string): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  let bytes = 0;
  for await (const file of storage.list(folder)) {
    bytes += file.sizeBytes;
    if (bytes > MOST_BYTES) break;
    if (files.push(file) >= FILES_WORTH_THREADS) return [];
  }
  return files;
}
