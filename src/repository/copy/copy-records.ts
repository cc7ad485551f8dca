/**
 * What is Holdfast's own, sealed anew with the other repository's key. Captures are pointed at the copies of their
 * snapshots; what concerns the files of one repository alone (parity, second copies, its owner, its settings) stays.
 */
import { HoldfastError, isHoldfastError, type ProgressListener } from '#base';
import { errors } from '../errors.ts';
import { inLanes } from '../in-lanes.ts';
import { isId } from '../names.ts';
import { readCapture, rewriteCapture } from '../records/captures.ts';
import { parseCaptureName } from '../records/names.ts';
import type { Repository } from '../repository.ts';

const OF_ONE_REPOSITORY = [
  ...['format', 'copies/', 'parity/', 'mends/', 'settings/', 'owners/'],
  ...['checks/', 'prune/'],
];

/** Never written twice with different content: that one is there is enough. */
const UNCHANGING = /^(?:captures|points|marks|blocks|journal\/.*\/(?:pieces|batches|watermarks))\//;

const FILES_AT_ONCE = 8;

export type RecordsCopied = {
  copied: number;
  present: number;
  /** Damaged here, or a capture without its snapshot. */
  left: { name: string; why: string }[];
  /** Listed, but gone before they could be read: taken into a batch, or removed by retention. */
  vanished: number;
};

export type CopyRecordsOptions = {
  /** Ids of snapshots there by their ids here. */
  copies: ReadonlyMap<string, string>;
  /** Only captures of these snapshots, with their block maps. */
  onlyCaptures: boolean;
  signal: AbortSignal;
  progress: ProgressListener;
};

/** Names of what can be carried. To be listed before the snapshots: the snapshot of a listed capture is then known. */
export async function carriedNames(from: Repository): Promise<string[]> {
  const names = await from.sealed.list('');
  return names.filter((name) => !OF_ONE_REPOSITORY.some((own) => name.startsWith(own)));
}

/** After the snapshots are copied. */
export async function copyRecords(
  from: Repository,
  to: Repository,
  names: readonly string[],
  options: CopyRecordsOptions,
): Promise<RecordsCopied> {
  const done: RecordsCopied = { copied: 0, present: 0, left: [], vanished: 0 };
  const there = new Set(await to.sealed.list(''));
  const captures = names.filter((name) => parseCaptureName(name));
  const chosen = new Set<string>();
  const copyOne = async (name: string) => {
    options.signal.throwIfAborted();
    try {
      const carried = await carry(from, to, name, there, options, chosen);
      done[carried] += 1;
    } catch (error) {
      if (isHoldfastError(error, 'repository/not-in-storage')) done.vanished += 1;
      else if (error instanceof HoldfastError && error.kind === 'failed') {
        done.left.push({ name, why: error.message });
      } else throw error;
    }
    options.progress({
      step: 'copying records',
      doneItems: done.copied + done.present,
      totalItems: names.length,
    });
  };
  // What points refer to is there before them.
  await inLanes(captures, FILES_AT_ONCE, copyOne);
  const others = names.filter((name) => !parseCaptureName(name));
  const wanted = options.onlyCaptures
    ? others.filter((name) => isOfChosen(name, chosen, options.copies))
    : others;
  await inLanes(wanted, FILES_AT_ONCE, copyOne);
  return done;
}

async function carry(
  from: Repository,
  to: Repository,
  name: string,
  there: ReadonlySet<string>,
  { copies, onlyCaptures }: CopyRecordsOptions,
  chosen: Set<string>,
): Promise<'copied' | 'present'> {
  const capture = parseCaptureName(name);
  if (capture) {
    const record = await readCapture(from, { name });
    const snapshot = copies.get(record.snapshot);
    if (snapshot === undefined && onlyCaptures) return 'present';
    if (snapshot === undefined) {
      throw errors.recordInvalid([name, 'its snapshot was forgotten, or could not be copied']);
    }
    if (record.blockMap !== undefined) chosen.add(record.blockMap);
    if (there.has(name) && (await readCapture(to, { name })).snapshot === snapshot) {
      return 'present';
    }
    await rewriteCapture(to, name, { ...record, snapshot });
    return 'copied';
  }
  const nameThere = nameOfCopy(name, copies);
  if (there.has(nameThere) && UNCHANGING.test(name)) return 'present';
  const bytes = await from.sealed.read(name);
  if (there.has(nameThere) && (await to.sealed.read(nameThere)).equals(bytes)) return 'present';
  await to.sealed.write(nameThere, bytes);
  return 'copied';
}

/** What is of one snapshot, such as a legal hold, is named by its id. */
function nameOfCopy(name: string, copies: ReadonlyMap<string, string>): string {
  const last = name.slice(name.lastIndexOf('/') + 1);
  const copy = isId(last) ? copies.get(last) : undefined;
  return copy === undefined ? name : name.slice(0, -last.length) + copy;
}

/** Pages and tables of block maps, and what is named by a chosen snapshot. */
function isOfChosen(
  name: string,
  maps: ReadonlySet<string>,
  copies: ReadonlyMap<string, string>,
): boolean {
  if (nameOfCopy(name, copies) !== name) return true;
  const map = /^blocks\/[^/]+\/[^/]+\/[^/]+\/[^/]+/.exec(name)?.[0];
  return map !== undefined && maps.has(map);
}
