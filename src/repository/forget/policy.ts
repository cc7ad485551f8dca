/** Which snapshots a policy keeps, and why: pure, so that it can be shown before anything is removed. */
import { errors } from '../errors.ts';
import type { Snapshot } from '../snapshots/snapshot-json.ts';
import { beforeMs, formatKeepSpan, type KeepSpan } from './keep-span.ts';

/** Numbers of periods with a snapshot in them, not of periods passed; -1 keeps all. */
export type RetentionPolicy = {
  last?: number;
  hourly?: number;
  daily?: number;
  weekly?: number;
  monthly?: number;
  yearly?: number;
  /** Everything younger than this, seen from the newest snapshot that isn't dated in the future. */
  within?: KeepSpan;
  /** Snapshots that have all tags of one of the lists. */
  tags?: readonly (readonly string[])[];
};

export type Kept = { snapshot: Snapshot; reasons: string[] };

export type Decision = {
  keep: Kept[];
  remove: Snapshot[];
  /** Of those that are kept: dated after now by our clock. They take no place that another would have. */
  future: Snapshot[];
};

/** Clocks of clients may be ahead by so much. */
const CLOCKS_DIFFER_MS = 10 * 60_000;

type Bucket = {
  label: string;
  left: number;
  period: (time: string, i: number) => string;
  last: string;
};

/** Local time of the snapshot, as its string tells it: what a person calls that day. */
const PERIODS: readonly [keyof RetentionPolicy, string, Bucket['period']][] = [
  ['last', 'last', (_time, i) => String(i)],
  ['hourly', 'hourly', (time) => time.slice(0, 13)],
  ['daily', 'daily', (time) => time.slice(0, 10)],
  ['weekly', 'weekly', (time) => isoWeek(time.slice(0, 10))],
  ['monthly', 'monthly', (time) => time.slice(0, 7)],
  ['yearly', 'yearly', (time) => time.slice(0, 4)],
];

/** Judges snapshots of one group. Throws `repository/policy-empty` where it would keep nothing at all. */
export function applyPolicy(
  snapshots: readonly Snapshot[],
  policy: RetentionPolicy,
  nowMs: number,
): Decision {
  const buckets = bucketsOf(policy);
  if (buckets.length === 0 && !policy.within && !policy.tags?.length) throw errors.policyEmpty([]);
  const isFuture = ({ timeMs }: Snapshot) => timeMs > nowMs + CLOCKS_DIFFER_MS;
  const sorted = [...snapshots].sort((a, b) => b.timeMs - a.timeMs);
  const future = sorted.filter(isFuture);
  const newestFirst = sorted.slice(future.length);
  const reference = newestFirst[0]?.timeMs ?? nowMs;
  const kept = future.map((snapshot) => ({ snapshot, reasons: ['dated in the future'] }));
  const decision: Decision = { keep: kept, remove: [], future };
  newestFirst.forEach((snapshot, i) => {
    const isOldest = i === newestFirst.length - 1;
    const reasons = [
      ...standingReasons(snapshot, policy, reference),
      ...buckets.flatMap((bucket) => bucketReason(bucket, snapshot, i, isOldest)),
    ];
    if (reasons.length > 0) decision.keep.push({ snapshot, reasons });
    else decision.remove.push(snapshot);
  });
  return decision;
}

function bucketsOf(policy: RetentionPolicy): Bucket[] {
  return PERIODS.flatMap(([name, label, period]) => {
    const count = (policy[name] as number | undefined) ?? 0;
    const left = count < 0 ? Number.POSITIVE_INFINITY : count;
    return left > 0 ? [{ label, left, period, last: '' }] : [];
  });
}

function standingReasons(
  snapshot: Snapshot,
  policy: RetentionPolicy,
  referenceMs: number,
): string[] {
  const reasons: string[] = [];
  const hasAll = (list: readonly string[]) => list.every((tag) => snapshot.tags.includes(tag));
  const tags = policy.tags?.find(hasAll);
  if (tags) reasons.push(`tags ${tags.join(', ')}`);
  if (policy.within && snapshot.timeMs > beforeMs(referenceMs, policy.within)) {
    reasons.push(`within ${formatKeepSpan(policy.within)}`);
  }
  return reasons;
}

/** The newest of each period; while there are periods left, the oldest snapshot too, as in restic. */
function bucketReason(bucket: Bucket, snapshot: Snapshot, i: number, isOldest: boolean): string[] {
  if (bucket.left <= 0) return [];
  const period = bucket.period(snapshot.time, i);
  const isNew = period !== bucket.last;
  if (!isNew && !isOldest) return [];
  bucket.last = period;
  bucket.left -= 1;
  return [isNew ? `${bucket.label} snapshot` : `oldest ${bucket.label} snapshot`];
}

/** ISO 8601: the year and week of the Thursday of a date's week. */
function isoWeek(date: string): string {
  const day = new Date(`${date}T00:00:00Z`);
  day.setUTCDate(day.getUTCDate() + 4 - (day.getUTCDay() || 7));
  const year = day.getUTCFullYear();
  const week = Math.ceil(((day.getTime() - Date.UTC(year, 0, 1)) / 86_400_000 + 1) / 7);
  return `${year}-W${week}`;
}
