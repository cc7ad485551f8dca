/** Removing the snapshots that a policy doesn't keep. Their blobs stay until they are pruned. */
import { systemClock } from '#base';
import { removeAll } from '../prune/removals.ts';
import type { Repository } from '../repository.ts';
import type { Snapshot } from '../snapshots/snapshot-json.ts';
import type { SnapshotFilter } from '../snapshots/snapshots.ts';
import { checkClock } from './clock-check.ts';
import { snapshotsOfCaptures } from './closed-sets.ts';
import { describeHold, readHolds } from './holds.ts';
import { describeLease, readLeases } from './leases.ts';
import { applyPolicy, type Decision, type Kept, type RetentionPolicy } from './policy.ts';

export type GroupField = 'host' | 'paths' | 'tags';

export type ForgetOptions = {
  /** Snapshots that the policy judges; all others stay. */
  filter?: SnapshotFilter;
  /** The policy is applied to each group of its own. Default host and paths, as in restic. */
  groupBy?: readonly GroupField[];
  /** Only decide. */
  dryRun?: boolean;
  /** A reason to keep a snapshot whatever the policy says: it is part of a recovery point, say. */
  protect?: (snapshot: Snapshot) => string | undefined;
  /** How long to wait where somebody else holds the repository. Default 0: refused at once. */
  lockWaitMs?: number;
  /** Our time, ms since 1970. */
  nowMs?: number;
  /** Our clock is right, whatever the storage and the newest capture say. */
  trustClock?: boolean;
};

export type ForgetGroup = {
  host?: string;
  paths?: string[];
  tags?: string[];
  keep: Kept[];
  remove: Snapshot[];
  /** Of those that are kept: dated after now. */
  future: Snapshot[];
};

export type ForgetResult = {
  groups: ForgetGroup[];
  kept: number;
  removed: number;
  /** Dated after now by our clock: kept, and worth a look. */
  future: number;
  /** Files that the storage keeps for a while yet. */
  stillLocked: number;
  dryRun: boolean;
};

/**
 * Decides and, without `dryRun`, removes under an exclusive lock. What is held, and what a capture of Holdfast's needs,
 * stays: captures, recovery points and journals are kept and dropped as whole sets, by the retention of their
 * environment. Throws `repository/policy-empty` and `repository/clock-disagrees`. Interrupted, it has removed some of
 * what it would remove: run it again.
 */
export async function forget(
  repository: Repository,
  policy: RetentionPolicy,
  options: ForgetOptions = {},
): Promise<ForgetResult> {
  if (!options.trustClock) await checkClock(repository, options.nowMs ?? systemClock.nowMs());
  if (options.dryRun) return decide(repository, policy, options);
  const lock = await repository.lock('exclusive', { waitMs: options.lockWaitMs ?? 0 });
  try {
    const result = await decide(repository, policy, options);
    const ids = result.groups.flatMap(({ remove }) => remove.map(({ id }) => id));
    const outcome = await removeAll(ids, lock.signal, (id) => repository.snapshots.remove(id));
    return { ...result, removed: outcome.removed, stillLocked: outcome.locked };
  } finally {
    await lock.release();
  }
}

async function decide(
  repository: Repository,
  policy: RetentionPolicy,
  options: ForgetOptions,
): Promise<ForgetResult> {
  const nowMs = options.nowMs ?? systemClock.nowMs();
  const fields = options.groupBy ?? ['host', 'paths'];
  const snapshots = await repository.snapshots.list(options.filter);
  // With nothing to judge, a policy that keeps nothing is still a mistake.
  applyPolicy([], policy, nowMs);
  const standing = await standingReasons(repository, options);
  const groups = [...groupSnapshots(snapshots, fields).values()].map((members) => {
    const decision = applyPolicy(members, policy, nowMs);
    return { ...groupKey(members[0] as Snapshot, fields), ...spare(decision, standing) };
  });
  const count = (list: 'keep' | 'remove' | 'future') =>
    groups.reduce((sum, group) => sum + group[list].length, 0);
  return {
    groups,
    kept: count('keep'),
    removed: count('remove'),
    future: count('future'),
    stillLocked: 0,
    dryRun: options.dryRun ?? false,
  };
}

function groupSnapshots(
  snapshots: readonly Snapshot[],
  fields: readonly GroupField[],
): Map<string, Snapshot[]> {
  const groups = new Map<string, Snapshot[]>();
  for (const snapshot of snapshots) {
    const key = JSON.stringify(groupKey(snapshot, fields));
    const members = groups.get(key);
    if (members) members.push(snapshot);
    else groups.set(key, [snapshot]);
  }
  return groups;
}

function groupKey(snapshot: Snapshot, fields: readonly GroupField[]) {
  return {
    ...(fields.includes('host') && { host: snapshot.hostname }),
    ...(fields.includes('paths') && { paths: [...snapshot.paths].sort() }),
    ...(fields.includes('tags') && { tags: [...snapshot.tags].sort() }),
  };
}

type Standing = (snapshot: Snapshot) => string[];

/** Reasons to keep a snapshot that no policy overrules. */
async function standingReasons(
  repository: Repository,
  { protect }: ForgetOptions,
): Promise<Standing> {
  const holds = await readHolds(repository);
  const leases = await readLeases(repository);
  const needed = await snapshotsOfCaptures(repository);
  return (snapshot) => {
    const hold = holds.get(snapshot.id);
    const lease = leases.get(snapshot.id);
    const reasons = [
      hold && describeHold(hold),
      lease && describeLease(lease),
      needed.get(snapshot.id),
      protect?.(snapshot),
    ];
    return reasons.filter((reason): reason is string => reason !== undefined);
  };
}

/** What only a standing reason keeps says so; what the policy keeps anyway tells that reason too. */
function spare(decision: Decision, standing: Standing): Decision {
  const keep = decision.keep.map(({ snapshot, reasons }) => ({
    snapshot,
    reasons: [...reasons, ...standing(snapshot)],
  }));
  const remove: Snapshot[] = [];
  for (const snapshot of decision.remove) {
    const reasons = standing(snapshot);
    if (reasons.length === 0) remove.push(snapshot);
    else keep.push({ snapshot, reasons });
  }
  keep.sort((a, b) => b.snapshot.timeMs - a.snapshot.timeMs);
  return { keep, remove, future: decision.future };
}
