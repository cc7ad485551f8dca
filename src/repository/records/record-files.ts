/** Writing, reading and listing records among a repository's sealed files: one file for each kind of them beside this one. */
import type { SealedFiles } from '../sealed/sealed-files.ts';
import { decodeRecord, encodeRecord, type RecordKind, type RecordOf } from './codec.ts';
import { timeOfId } from './names.ts';

/** What records need of a repository. */
export type RecordsHome = { readonly sealed: SealedFiles };

export async function writeRecord<K extends RecordKind>(
  home: RecordsHome,
  kind: K,
  name: string,
  value: RecordOf<K>,
): Promise<void> {
  await home.sealed.write(name, encodeRecord(kind, value, name));
}

export async function readRecord<K extends RecordKind>(
  home: RecordsHome,
  kind: K,
  name: string,
): Promise<RecordOf<K>> {
  return decodeRecord(kind, await home.sealed.read(name), name);
}

/** Reads many, a few at a time, in the order of the names. */
export async function readRecords<K extends RecordKind>(
  home: RecordsHome,
  kind: K,
  names: readonly string[],
): Promise<RecordOf<K>[]> {
  const found: RecordOf<K>[] = [];
  for (let start = 0; start < names.length; start += 16)
    found.push(
      ...(await Promise.all(
        names.slice(start, start + 16).map((name) => readRecord(home, kind, name)),
      )),
    );
  return found;
}

/** The span of time of a listing, ms since 1970, both ends included. */
export type TimeSpan = { fromMs?: number; toMs?: number };

function within(id: string, span: TimeSpan): boolean {
  const atMs = timeOfId(id);
  if (atMs === undefined) return true;
  return atMs >= (span.fromMs ?? -Infinity) && atMs <= (span.toMs ?? Infinity);
}

export const lastPart = (name: string) => name.slice(name.lastIndexOf('/') + 1);

export async function namesWithin(
  home: RecordsHome,
  folder: string,
  span: TimeSpan,
): Promise<string[]> {
  const names = await home.sealed.list(folder);
  return names.filter((name) => within(lastPart(name), span));
}
