/** Removing the snapshots that a policy doesn't keep. Their blobs stay until they are pruned. */
import { systemClock } from '#base';
import type { Repository } from '../repository.ts';
import type { Snapshot } from '../snapshots/snapshot-json.ts';
import type { SnapshotFilter } from '../snapshots/snapshots.ts';
import { applyPolicy, type Kept, type RetentionPolicy } from './policy.ts';

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
  /** Server time, ms since 1970. */
  nowMs?: number;
};

export type ForgetGroup = {
  host?: string;
  paths?: string[];
  tags?: string[];
  keep: Kept[];
  remove: Snapshot[];
};

export type ForgetResult = {
  groups: ForgetGroup[];
  kept: number;
  removed: number;
  dryRun: boolean;
};

/**
 * Decides and, without `dryRun`, removes under an exclusive lock. Throws `repository/policy-empty`. Interrupted, it has
 * removed some of what it would remove: run it again.
 */
export async function forget(
  repository: Repository,
  policy: RetentionPolicy,
  options: ForgetOptions = {},
): Promise<ForgetResult> {
  if (options.dryRun) return decide(repository, policy, options);
  const lock = await repository.lock('exclusive', { waitMs: options.lockWaitMs ?? 0 });
  try {
    const result = await decide(repository, policy, options);
    for (const { remove } of result.groups) {
      for (const snapshot of remove) {
        lock.signal.throwIfAborted();
        await repository.snapshots.remove(snapshot.id);
      }
    }
    return result;
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
  const groups = [...groupSnapshots(snapshots, fields).values()].map((members) => {
    const decision = applyPolicy(members, policy, nowMs);
    return { ...groupKey(members[0] as Snapshot, fields), ...spare(decision, options) };
  });
  const count = (list: 'keep' | 'remove') =>
    groups.reduce((sum, group) => sum + group[list].length, 0);
  return { groups, kept: count('keep'), removed: count('remove'), dryRun: options.dryRun ?? false };
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

function spare(decision: { keep: Kept[]; remove: Snapshot[] }, { protect }: ForgetOptions) {
  if (!protect) return decision;
  const keep = [...decision.keep];
  const remove: Snapshot[] = [];
  for (const snapshot of decision.remove) {
    const reason = protect(snapshot);
    if (reason === undefined) remove.push(snapshot);
    else keep.push({ snapshot, reasons: [reason] });
  }
  return { keep: keep.sort((a, b) => b.snapshot.timeMs - a.snapshot.timeMs), remove };
}
