/**
 * Second copies of what a repository can't do without (config, keys, indexes, snapshots, records), byte for byte, under
 * `holdfast/copies/`: each by the name of its original. They need no seal of their own: what they are copies of is sealed,
 * or is a key, which must be readable before anything else is.
 */
import { hash } from 'node:crypto';
import { HoldfastError } from '#base';
import { errors } from '../errors.ts';
import type { FileHint, Storage } from '../storage/storage.ts';

export const COPIES_FOLDER = 'holdfast/copies/';

/** What has copies, each kind a folder of restic's layout. Locks come and go, and packs have parity instead. */
export type CopiedKind = 'keys' | 'index' | 'snapshots';

export const COPIED_KINDS: readonly CopiedKind[] = ['keys', 'index', 'snapshots'];

/** Folders of records: captures, points, marks, holds; of journals only what isn't bytes of theirs. */
export const RECORD_FOLDERS = ['captures/', 'points/', 'marks/', 'holds/', 'journal/'].map(
  (folder) => `holdfast/${folder}`,
);
const RECORD =
  /^holdfast\/(?:captures|points|marks|holds)\/|^holdfast\/journal\/(?:[^/]+\/){3}(?:batches|gaps|lines)\//;

/** Whether a sealed file (`holdfast/captures/…`) has a copy. It may be replaced, and so is its copy. */
export function isCopiedRecord(name: string): boolean {
  return RECORD.test(name);
}

/** `name` of the original: `config`, `index/ab12…`. */
export function copyName(name: string): string {
  return COPIES_FOLDER + name;
}

export function hasCopies(kind: string): kind is CopiedKind {
  return (COPIED_KINDS as readonly string[]).includes(kind);
}

/** Reads a file whose name is its SHA-256, once more where that doesn't fit: the way here may have been at fault. */
export async function readVerified(
  storage: Storage,
  name: string,
  id: string,
  hint?: FileHint,
): Promise<Buffer> {
  for (let attempt = 1; ; attempt += 1) {
    const stored = await storage.read(name, undefined, hint);
    const found = hash('sha256', stored, 'hex');
    if (found === id) return stored;
    if (attempt === 2) throw errors.fileDamaged([name, `its SHA-256 is ${found.slice(0, 12)}…`]);
  }
}

/**
 * The original, or its copy where the original is damaged; `onStandIn` is told then. An original that is absent was
 * removed, as far as anybody knows: that stays `repository/not-in-storage`.
 */
export async function readEither(
  storage: Storage,
  name: string,
  id: string,
  onStandIn: (name: string) => void,
): Promise<Buffer> {
  try {
    return await readVerified(storage, name, id);
  } catch (error) {
    if (!isDamage(error)) throw error;
    const copy = await readCopy(storage, name, id);
    if (!copy) throw error;
    onStandIn(name);
    return copy;
  }
}

/** Undefined where there is no whole copy. */
export async function readCopy(
  storage: Storage,
  name: string,
  id: string,
): Promise<Buffer | undefined> {
  try {
    return await readVerified(storage, copyName(name), id);
  } catch (error) {
    if (isDamage(error) || isAbsence(error)) return undefined;
    throw error;
  }
}

export function isDamage(error: unknown): error is HoldfastError {
  return (
    error instanceof HoldfastError &&
    (error.code === 'repository/file-damaged' || error.code === 'repository/short-read')
  );
}

export function isAbsence(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && error.code === 'repository/not-in-storage';
}
