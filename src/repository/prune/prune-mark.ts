/**
 * What the first phase of a prune found, sealed under `holdfast/prune/marks/`: packs and blobs that no snapshot of then
 * needed. It changes nothing that anybody reads. The second phase goes by it when the grace has passed.
 */
import { timedId } from '#base';
import { errors } from '../errors.ts';
import { ID_BYTES } from '../names.ts';
import type { Repository } from '../repository.ts';

const FOLDER = 'prune/marks/';
const VERSION = 1;

export type PruneMark = {
  /** Its name among the sealed files. */
  name: string;
  atMs: number;
  /** Ids of the snapshots that were looked at. */
  snapshots: ReadonlySet<string>;
  /** Ids of packs of which nothing was needed. */
  drop: readonly string[];
  /** Packs worth being written anew, and which of their blobs were unused: a bit for each, in the order of offsets. */
  repack: readonly { id: string; unused: Uint8Array }[];
  /** Ids of packs that no index told of. */
  unindexed: readonly string[];
};

type Home = Pick<Repository, 'sealed'>;

export async function writeMark(home: Home, found: Omit<PruneMark, 'name'>): Promise<PruneMark> {
  const mark = { ...found, name: FOLDER + timedId(found.atMs) };
  await home.sealed.write(mark.name, encodeMark(mark));
  return mark;
}

/**
 * Taken away and written again: throws the storage's refusal where nothing may be removed. Killed between the two, there
 * is no mark, and what it told is found anew.
 */
export async function renewMark(home: Home, mark: PruneMark, onTaken: () => void): Promise<void> {
  await removeMark(home, mark);
  onTaken();
  await home.sealed.write(mark.name, encodeMark(mark));
}

function encodeMark({ atMs, snapshots, drop, unindexed, repack }: PruneMark): Buffer {
  const json = {
    version: VERSION,
    atMs,
    snapshots: idsText(snapshots),
    drop: idsText(drop),
    unindexed: idsText(unindexed),
    repack: repack.map(({ id, unused }) => ({
      id,
      unused: Buffer.from(unused).toString('base64'),
    })),
  };
  return Buffer.from(JSON.stringify(json));
}

/** Oldest first. Throws `repository/record-invalid` and `repository/record-too-new`. */
export async function readMarks(home: Home): Promise<PruneMark[]> {
  const marks: PruneMark[] = [];
  for (const name of await home.sealed.list(FOLDER)) {
    const bytes = await home.sealed.readIfThere(name);
    if (bytes) marks.push(decodeMark(name, bytes));
  }
  return marks.sort((a, b) => a.atMs - b.atMs);
}

export function removeMark(home: Home, { name }: PruneMark): Promise<void> {
  return home.sealed.remove(name);
}

export function decodeMark(name: string, bytes: Buffer): PruneMark {
  const refused = (why: string) => errors.recordInvalid([name, why]);
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw refused('it is no JSON');
  }
  if (typeof json !== 'object' || json === null) throw refused('it is no object');
  const { version, atMs, repack } = json;
  if (typeof version === 'number' && version > VERSION) throw errors.recordTooNew([name, version]);
  if (version !== VERSION || typeof atMs !== 'number' || !Number.isFinite(atMs)) {
    throw refused('it has no time');
  }
  if (!Array.isArray(repack)) throw refused('it lists no packs');
  const ids = (field: string) => idsIn(json[field]) ?? failing(refused(`${field} must be ids`));
  return {
    name,
    atMs,
    snapshots: new Set(ids('snapshots')),
    drop: ids('drop'),
    unindexed: ids('unindexed'),
    repack: repack.map((pack: { id?: unknown; unused?: unknown } | null) => {
      const isPack =
        typeof pack?.id === 'string' &&
        /^[0-9a-f]{64}$/.test(pack.id) &&
        typeof pack.unused === 'string';
      if (!isPack) throw refused('repack must be packs');
      return { id: pack.id as string, unused: Buffer.from(pack.unused as string, 'base64') };
    }),
  };
}

function failing(error: Error): never {
  throw error;
}

function idsText(ids: Iterable<string>): string {
  return Buffer.from([...ids].join(''), 'hex').toString('base64');
}

function idsIn(text: unknown): string[] | undefined {
  if (typeof text !== 'string') return undefined;
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length % ID_BYTES !== 0) return undefined;
  return Array.from({ length: bytes.length / ID_BYTES }, (_, i) =>
    bytes.toString('hex', i * ID_BYTES, (i + 1) * ID_BYTES),
  );
}

export function isBitSet(bits: Uint8Array, at: number): boolean {
  return ((bits[at >>> 3] ?? 0) & (1 << (at & 7))) !== 0;
}

export function setBit(bits: Uint8Array, at: number): void {
  bits[at >>> 3] = (bits[at >>> 3] ?? 0) | (1 << (at & 7));
}
