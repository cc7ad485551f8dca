/** From an address to a storage. A new kind of storage is one line here. */
import { fileURLToPath } from 'node:url';
import { errors } from '../errors.ts';
import { LocalStorage } from './local/local-storage.ts';
import { MemoryStorage } from './memory.ts';
import type { S3Options } from './s3/options.ts';
import type { Storage } from './storage.ts';

/** What an address alone can't say, for each kind of storage that has such options. */
export type StorageOptions = { s3?: S3Options };

const openers: Record<string, (url: string, options: StorageOptions) => Promise<Storage>> = {
  file: async (url) => new LocalStorage(folderOf(url)),
  memory: async (url) => namedMemory(url.slice('memory:'.length)),
  s3: async (url, options) => {
    const { S3Storage } = await import('./s3/s3-storage.ts');
    return new S3Storage(url, options.s3);
  },
};

/** Kinds that restic knows and Holdfast is going to: refused by name instead of taken for a folder. */
const NOT_YET = ['sftp', 'azure', 'gs', 'b2', 'swift', 'rclone'];

/** Kinds that can't hold what is Holdfast's own: rest-server takes no other names than restic's. */
const TOO_NARROW = ['rest'];

/**
 * `/folder`, `./folder`, `file:///folder`, `memory:name`, `s3:https://host/bucket/folder`. Nothing is read or made yet.
 * Throws `repository/storage-too-narrow`, `repository/storage-not-yet`, `repository/storage-unknown` (one letter before
 * a colon is a drive, not a scheme) and `s3/address-invalid`.
 */
export async function openStorage(url: string, options: StorageOptions = {}): Promise<Storage> {
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]+):/.exec(url)?.[1]?.toLowerCase();
  if (scheme === undefined) return new LocalStorage(url);
  const open = openers[scheme];
  if (open) return open(url, options);
  if (TOO_NARROW.includes(scheme)) throw errors.storageTooNarrow([scheme]);
  if (NOT_YET.includes(scheme)) throw errors.storageNotYet([scheme]);
  throw errors.storageUnknown([scheme]);
}

function folderOf(url: string): string {
  return url.startsWith('file://') ? fileURLToPath(url) : url.slice('file:'.length);
}

const memories = new Map<string, Map<string, Buffer>>();

/** The same name gives the same files, as long as the process lives. */
function namedMemory(name: string): Storage {
  const files = memories.get(name) ?? new Map<string, Buffer>();
  memories.set(name, files);
  return new MemoryStorage(name, files);
}
