/** Which snapshots of two repositories are one and the same. */
import type { NewSnapshot, Snapshot } from '../snapshots/snapshot-json.ts';

/** The id that it was first saved under, as restic and Holdfast note it in copies. */
export function originalOf({ id, others }: Snapshot): string {
  return typeof others.original === 'string' ? others.original : id;
}

/** Everything but the ids and the parent, which mean nothing in another repository. */
export class KnownSnapshots {
  readonly #byFacts = new Map<string, Snapshot>();

  constructor(snapshots: Iterable<Snapshot>) {
    for (const snapshot of snapshots) this.add(snapshot);
  }

  add(snapshot: Snapshot): void {
    this.#byFacts.set(factsOf(snapshot), snapshot);
  }

  /** What this one became when it was copied. */
  copyOf(snapshot: Snapshot): Snapshot | undefined {
    return this.#byFacts.get(factsOf(snapshot));
  }
}

function factsOf(snapshot: Snapshot): string {
  const { tree, time, hostname, username, uid, gid, paths, excludes, tags } = snapshot;
  const original = originalOf(snapshot);
  return JSON.stringify([
    ...[original, tree, time, hostname, username, uid, gid],
    ...[[...paths].sort(), [...excludes].sort(), [...tags].sort()],
  ]);
}

/** As it is saved elsewhere. */
export function copiedSnapshot(snapshot: Snapshot): NewSnapshot {
  const { id: _id, timeMs: _timeMs, parent: _parent, others, ...kept } = snapshot;
  return { ...kept, others: { ...others, original: originalOf(snapshot) } };
}
