/**
 * Captures of Holdfast's stand in sets: a base with the journal that goes on from it, the captures of a recovery point.
 * restic's commands know nothing of them; here is what a set needs, and which sets somebody has torn.
 */
import { formatCounted } from '#base';
import { inLanes } from '../in-lanes.ts';
import { readCapture } from '../records/captures.ts';
import { type CaptureEntry, parseCaptureName } from '../records/names.ts';
import { readPoints } from '../records/points.ts';
import type { CaptureRecord, StoreAddress } from '../records/records.ts';
import type { Repository } from '../repository.ts';
import { readHolds } from './holds.ts';

const READS_AT_ONCE = 16;

type Home = Pick<Repository, 'sealed' | 'snapshots'>;

/** By snapshot id: why a capture's snapshot must not go alone. */
export async function snapshotsOfCaptures(
  home: Pick<Repository, 'sealed'>,
): Promise<Map<string, string>> {
  const reasons = new Map<string, string>();
  await forEachCapture(home, (record) => reasons.set(record.snapshot, reasonOf(record)));
  return reasons;
}

export type BrokenSet = {
  /** The snapshot that isn't there. */
  snapshot: string;
  /** For a person: what can't be recovered without it. */
  what: string;
  address?: StoreAddress;
  /** Id of the capture that it belonged to; absent where a hold was broken. */
  capture?: string;
};

/**
 * Sets that lost a part: captures, and the points and journals that need them, whose snapshot somebody removed (a
 * user's `restic forget`); holds whose snapshot is gone. Empty where all is whole. Reads every capture's record, and
 * the points of an environment only where a capture of it is torn.
 */
export async function brokenSets(home: Home): Promise<BrokenSet[]> {
  const holds = await readHolds(home);
  const torn: CaptureRecord[] = [];
  const records: CaptureRecord[] = [];
  await forEachCapture(home, (record) => records.push(record));
  // After the records: what is captured meanwhile has its snapshot before its record.
  const there = new Set(await home.snapshots.ids());
  for (const record of records) if (!there.has(record.snapshot)) torn.push(record);
  const points = await pointsThatNeed(home, torn);
  const broken: BrokenSet[] = torn.map((record) => ({
    snapshot: record.snapshot,
    address: record.address,
    capture: record.id,
    what: `${lossOf(record)}${pointsText(points.get(record.id) ?? 0)}`,
  }));
  for (const { snapshot } of holds.values()) {
    if (!there.has(snapshot)) {
      broken.push({ snapshot, what: `snapshot ${snapshot.slice(0, 8)} was held, and is gone` });
    }
  }
  return broken;
}

async function forEachCapture(
  home: Pick<Repository, 'sealed'>,
  onRecord: (record: CaptureRecord) => void,
): Promise<void> {
  const names = [...(await home.sealed.list('captures/')), ...(await home.sealed.list('journal/'))];
  const entries = names
    .map(parseCaptureName)
    .filter((entry): entry is CaptureEntry => entry !== undefined);
  await inLanes(entries, READS_AT_ONCE, async (entry) => {
    const record = await readCapture(home, entry);
    onRecord(record);
  });
}

function reasonOf({ address, kind }: CaptureRecord): string {
  switch (kind) {
    case 'journal-batch':
      return `part of the journal of ${address.store}`;
    case 'base':
      return `base of ${address.store}: its journal and recovery points begin from it`;
    default:
      return `capture of ${address.store}: recovery points need it`;
  }
}

function lossOf({ address, kind, id, start, end }: CaptureRecord): string {
  const of = `of ${address.environment}/${address.store}`;
  switch (kind) {
    case 'journal-batch':
      return `the journal ${of} has lost line ${start.line} from ${start.offset} to ${end.offset}`;
    case 'base':
      return `the base ${id} ${of} is gone: what was journaled from it on needs another base`;
    default:
      return `the capture ${id} ${of} is gone`;
  }
}

function pointsText(count: number): string {
  return count === 0 ? '' : `; needed by ${formatCounted(count, 'recovery point')}`;
}

/** By capture id: how many points. */
async function pointsThatNeed(
  home: Pick<Repository, 'sealed'>,
  torn: readonly CaptureRecord[],
): Promise<Map<string, number>> {
  const counts = new Map<string, number>(torn.map(({ id }) => [id, 0]));
  const environments = new Map(
    torn.map(({ address }) => [`${address.environment}/${address.stage}`, address]),
  );
  for (const { environment, stage } of environments.values()) {
    for (const { stores, infrastructure } of await readPoints(home, environment, stage)) {
      for (const id of [...Object.values(stores).map(({ capture }) => capture), infrastructure]) {
        const count = id === undefined ? undefined : counts.get(id);
        if (id !== undefined && count !== undefined) counts.set(id, count + 1);
      }
    }
  }
  return counts;
}
