/** Names of a repository's files, as restic lays them out. Ids are 64 lower-case hex digits. */
import { randomBytes } from '#base';

export type BlobType = 'data' | 'tree';

/** Kinds of files that are stored whole, each named by the SHA-256 of its stored bytes. */
export type UnpackedKind = 'snapshots' | 'index' | 'locks' | 'keys';

export const ID_BYTES = 32;

export function isId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

export function newId(): string {
  return randomBytes(ID_BYTES).toString('hex');
}

/** `data/ab/ab12…`. */
export function packName(packId: string): string {
  return `data/${packId.slice(0, 2)}/${packId}`;
}

export function unpackedName(kind: UnpackedKind, id: string): string {
  return `${kind}/${id}`;
}

/** The id that a stored file's name ends with; undefined where it is none (foreign files are left alone). */
export function idOfName(name: string): string | undefined {
  const last = name.slice(name.lastIndexOf('/') + 1);
  return isId(last) ? last : undefined;
}
