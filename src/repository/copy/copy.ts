/** Everything that one repository holds, or a choice of its snapshots, into another one with a key of its own. */
import { type ProgressListener, silent, systemClock } from '#base';
import { errors } from '../errors.ts';
import type { RepositoryLock } from '../locks/locks.ts';
import type { Repository } from '../repository.ts';
import type { Snapshot } from '../snapshots/snapshot-json.ts';
import { carriedNames, copyRecords, type RecordsCopied } from './copy-records.ts';
import { copySnapshots, type SnapshotsCopied } from './copy-snapshots.ts';

export type CopyOptions = {
  /** Which snapshots; all where it is absent, and then all that is Holdfast's own too: points, marks, journals. */
  choose?: () => Promise<readonly Snapshot[]>;
  /** How long to wait where somebody else holds one of the repositories. Default a minute. */
  lockWaitMs?: number;
  onWait?: (why: Error) => void;
  signal?: AbortSignal;
  progress?: ProgressListener;
};

export type CopyResult = Omit<SnapshotsCopied, 'copies'> & {
  records: Omit<RecordsCopied, 'vanished'>;
  /** Snapshots that can't be read here. */
  unreadable: { id: string; why: string }[];
  tookMs: number;
};

const LOCK_WAIT_MS = 60_000;
/** A source that is written to moves on while it is copied: what was taken into batches meanwhile is copied again. */
const PASSES = 3;

/**
 * Holds a shared lock on both: backups go on in either, prune doesn't. What is in the other one already is neither read
 * nor decoded. May be called again at any time, also after an interruption: it then copies what is missing. Nothing is
 * ever removed there. Throws `repository/same-repository`, `repository/older-format` and what locks throw.
 */
export async function copyRepository(
  from: Repository,
  to: Repository,
  options: CopyOptions = {},
): Promise<CopyResult> {
  const startedMs = systemClock.monotonicMs();
  if (from.location === to.location) throw errors.sameRepository([from.location]);
  if (to.config.version < 2) throw errors.olderFormat([to.location, to.config.version]);
  const locks: RepositoryLock[] = [];
  try {
    const waiting = {
      waitMs: options.lockWaitMs ?? LOCK_WAIT_MS,
      ...(options.onWait && { onWait: options.onWait }),
      ...(options.signal && { signal: options.signal }),
    };
    for (const repository of [from, to]) locks.push(await repository.lock('shared', waiting));
    for (const [at, repository] of [from, to].entries()) {
      await repository.loadIndexUnder(locks[at] as RepositoryLock);
    }
    const signals = [
      ...locks.map(({ signal }) => signal),
      ...(options.signal ? [options.signal] : []),
    ];
    const result = await copyLocked(from, to, AbortSignal.any(signals), options);
    return { ...result, tookMs: systemClock.monotonicMs() - startedMs };
  } finally {
    for (const lock of locks) await lock.release();
  }
}

type Locked = Omit<CopyResult, 'tookMs'>;

async function copyLocked(
  from: Repository,
  to: Repository,
  signal: AbortSignal,
  options: CopyOptions,
): Promise<Locked> {
  const progress = options.progress ?? silent;
  let result: Locked | undefined;
  for (let pass = 1; ; pass += 1) {
    const names = await carriedNames(from);
    // After the names, and then their index: what a listed capture needs is known.
    const unreadable: CopyResult['unreadable'] = [];
    const snapshots = options.choose
      ? await options.choose()
      : await from.snapshots.list({}, (id, error) => {
          unreadable.push({ id, why: error.message });
        });
    await from.loadIndex();
    const { copies, ...copied } = await copySnapshots(from, to, snapshots, { signal, progress });
    const { vanished, ...records } = await copyRecords(from, to, names, {
      copies,
      onlyCaptures: options.choose !== undefined,
      signal,
      progress,
    });
    result = merged(result, { ...copied, records, unreadable });
    if (vanished === 0 || pass === PASSES) return result;
  }
}

/** A later pass tells anew what is there and what is damaged, and adds to what was copied. */
function merged(before: Locked | undefined, now: Locked): Locked {
  if (!before) return now;
  return {
    ...now,
    copied: before.copied + now.copied,
    present: before.present,
    blobs: before.blobs + now.blobs,
    bytes: before.bytes + now.bytes,
    storedBytes: before.storedBytes + now.storedBytes,
    records: {
      ...now.records,
      copied: before.records.copied + now.records.copied,
      present: before.records.present,
    },
  };
}
