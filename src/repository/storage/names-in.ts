import type { Storage } from './storage.ts';

/** Names of all files that begin with the prefix, in no order. */
export async function* namesIn(storage: Storage, prefix: string): AsyncIterable<string> {
  if (storage.listNames) yield* storage.listNames(prefix);
  else for await (const { name } of storage.list(prefix)) yield name;
}
