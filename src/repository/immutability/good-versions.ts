/**
 * Which version of a file is the one that was once written by us: its content decides. What is named by its SHA-256 must
 * have it; what is sealed must open with the repository's key. Whoever stole the right to write can make neither.
 */
import { hash } from 'node:crypto';
import { HoldfastError } from '#base';
import { parseConfig } from '../config.ts';
import { COPIES_FOLDER } from '../copies/second-copies.ts';
import type { Sealer } from '../crypto/sealer.ts';
import { decodeKeyFile } from '../keys/key-file.ts';
import { idOfName } from '../names.ts';
import { decodeSidecar } from '../parity/sidecar.ts';
import { openSealed } from '../sealed/sealed-files.ts';
import type { Storage } from '../storage/storage.ts';
import type { FileVersion } from '../storage/versions.ts';

const OWN_FOLDER = 'holdfast/';
const PARITY_FOLDER = 'holdfast/parity/';
const NAMED_BY_CONTENT = /^(data|index|snapshots|keys)\//;

/** The repository's own locks come and go; nobody wants those of then back. */
export function isKept(name: string): boolean {
  return !name.startsWith('locks/');
}

/**
 * Versions in the order in which they are to be tried, each content once. A content counts from when it first appeared:
 * an old one that was written again is no newer for it. What is named by its content begins with the oldest, which
 * nobody can have written before us; what may have been replaced rightly begins with the newest.
 */
export function candidates(name: string, versions: readonly FileVersion[]): FileVersion[] {
  const oldestFirst = versions.filter(({ isRemoval }) => !isRemoval).toReversed();
  const seen = new Set<string>();
  const distinct = oldestFirst.filter(({ contentTag, sizeBytes, versionId }) => {
    const content = `${contentTag || versionId} ${sizeBytes}`;
    return !seen.has(content) && seen.add(content);
  });
  return NAMED_BY_CONTENT.test(originalName(name)) ? distinct : distinct.toReversed();
}

/** What names and shapes alone tell; without the key nothing sealed can be judged. */
export function hasItsName(name: string, bytes: Buffer): boolean {
  return hash('sha256', bytes, 'hex') === idOfName(name);
}

/** Whether this is what we wrote under that name, once or lately. */
export function isGenuine(storage: Storage, sealer: Sealer, name: string, bytes: Buffer): boolean {
  const original = originalName(name);
  if (original.startsWith('data/')) return hasItsName(name, bytes);
  if (name.startsWith(PARITY_FOLDER))
    return decodeSidecar(idOfName(name) ?? '', bytes) !== undefined;
  return holds(() => {
    if (original === 'config') parseConfig(storage, sealer, bytes);
    else if (original.startsWith('keys/')) decodeKeyFile(name, idOfName(name) ?? '', bytes);
    else if (NAMED_BY_CONTENT.test(original)) sealer.open(bytes);
    else openSealed(sealer, original.slice(OWN_FOLDER.length), bytes);
    return !NAMED_BY_CONTENT.test(original) || hasItsName(name, bytes);
  });
}

/** Of a second copy that of its original; else the name itself. */
function originalName(name: string): string {
  return name.startsWith(COPIES_FOLDER) ? name.slice(COPIES_FOLDER.length) : name;
}

function holds(judge: () => boolean): boolean {
  try {
    return judge();
  } catch (error) {
    if (error instanceof HoldfastError) return false;
    throw error;
  }
}
