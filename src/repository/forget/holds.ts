/**
 * Legal holds: a snapshot that must stay, whoever's policy says what. Sealed under `holdfast/holds/`, so that restic's
 * own file stays as it is; who held and released it, and why, is kept.
 */
import os from 'node:os';
import { systemClock } from '#base';
import { errors } from '../errors.ts';
import { inLanes } from '../in-lanes.ts';
import { isId } from '../names.ts';
import { finite, list, object, oneOf, ShapeError, text } from '../records/shape.ts';
import type { Repository } from '../repository.ts';

const FOLDER = 'holds/';
const VERSION = 1;
const READS_AT_ONCE = 8;
const MAX_CHANGES = 10_000;

export type HoldChange = { did: 'held' | 'released'; atMs: number; by: string; because: string };

export type Hold = { snapshot: string; held: boolean; history: HoldChange[] };

type Home = Pick<Repository, 'sealed' | 'snapshots' | 'lock'>;

const historyShape = list(
  object<HoldChange>({
    did: oneOf('held', 'released'),
    atMs: finite,
    by: text({ max: 1000 }),
    because: text({ max: 10_000 }),
  }),
  MAX_CHANGES,
);

/**
 * By the beginning of the snapshot's id. Durable when it resolves; holding twice adds the second reason. Throws
 * `repository/snapshot-not-found` and `repository/reason-missing`.
 */
export function holdSnapshot(home: Home, what: string, because: string): Promise<Hold> {
  return change(home, what, 'held', because);
}

/** Throws `repository/not-held` too. */
export function releaseSnapshot(home: Home, what: string, because: string): Promise<Hold> {
  return change(home, what, 'released', because);
}

/** By snapshot id, those alone that are held now. Throws where one can't be read: nothing may be forgotten then. */
export async function readHolds(home: Pick<Repository, 'sealed'>): Promise<Map<string, Hold>> {
  const holds = new Map<string, Hold>();
  const names = await home.sealed.list(FOLDER);
  await inLanes(names, READS_AT_ONCE, async (name) => {
    const hold = await readHold(home, name.slice(FOLDER.length));
    if (hold?.held) holds.set(hold.snapshot, hold);
  });
  return holds;
}

/** For tables: `held since 2026-11-21: because`. */
export function describeHold({ history }: Hold): string {
  const last = history.at(-1) as HoldChange;
  return `held since ${new Date(last.atMs).toISOString().slice(0, 10)}: ${last.because}`;
}

async function change(
  home: Home,
  what: string,
  did: HoldChange['did'],
  because: string,
): Promise<Hold> {
  if (because.trim() === '') throw errors.reasonMissing([]);
  // Shared: nobody forgets meanwhile, for that takes the repository alone.
  const lock = await home.lock('shared', { waitMs: 60_000 });
  try {
    const { id } = await home.snapshots.find(what);
    const known = await readHold(home, id);
    if (did === 'released' && !known?.held) throw errors.notHeld([id.slice(0, 8)]);
    const by = `${os.userInfo().username}@${os.hostname()}`;
    const history = [
      ...(known?.history ?? []),
      { did, atMs: systemClock.nowMs(), by, because: because.trim() },
    ];
    const json = JSON.stringify({ record: 'hold', version: VERSION, history });
    lock.signal.throwIfAborted();
    await home.sealed.write(FOLDER + id, Buffer.from(json));
    return { snapshot: id, held: did === 'held', history };
  } finally {
    await lock.release();
  }
}

async function readHold(
  home: Pick<Repository, 'sealed'>,
  snapshot: string,
): Promise<Hold | undefined> {
  const name = FOLDER + snapshot;
  const bytes = await home.sealed.readIfThere(name);
  if (!bytes) return undefined;
  const history = decodeHistory(name, bytes);
  if (!isId(snapshot) || history.length === 0) {
    throw errors.recordInvalid([name, 'it names no snapshot, or holds nothing']);
  }
  return { snapshot, held: history.at(-1)?.did === 'held', history };
}

function decodeHistory(name: string, bytes: Buffer): HoldChange[] {
  try {
    const json = JSON.parse(bytes.toString('utf8')) as Record<string, unknown> | null;
    if (typeof json?.version === 'number' && json.version > VERSION) {
      throw errors.recordTooNew([name, json.version]);
    }
    return historyShape(json?.history, 'history');
  } catch (error) {
    if (!(error instanceof ShapeError) && !(error instanceof SyntaxError)) throw error;
    throw errors.recordInvalid([name, error.message], { cause: error });
  }
}
