/** Snapshots with all that they need, oldest first, in groups that become whole together. */
import type { ProgressListener } from '#base';
import { EntrySet, reachableBlobs } from '../reachable-blobs.ts';
import type { Repository } from '../repository.ts';
import type { Snapshot } from '../snapshots/snapshot-json.ts';
import { copyBlobs } from './copy-blobs.ts';
import { PackFiller } from './fill-packs.ts';
import { copiedSnapshot, KnownSnapshots } from './same-snapshot.ts';

/** So much is copied before its snapshots are saved: what an interruption costs, and small enough to be whole often. */
const GROUP_BYTES = 512 * 1024 * 1024;

export type SnapshotsCopied = {
  /** Ids there by ids here, of those that were there before too. */
  copies: Map<string, string>;
  copied: number;
  present: number;
  /** Not copied, because something that they need is damaged or missing here. */
  damaged: { id: string; why: string }[];
  blobs: number;
  /** Plain bytes of blobs that were copied, and what they take in packs. */
  bytes: number;
  storedBytes: number;
};

export type CopySnapshotsOptions = { signal: AbortSignal; progress: ProgressListener };

/** Both indexes are loaded, both repositories locked. */
export async function copySnapshots(
  from: Repository,
  to: Repository,
  snapshots: readonly Snapshot[],
  options: CopySnapshotsOptions,
): Promise<SnapshotsCopied> {
  const known = new KnownSnapshots(await to.snapshots.list({}, () => {}));
  const run = new SnapshotCopy(from, to, options);
  try {
    for (const snapshot of [...snapshots].sort((a, b) => a.timeMs - b.timeMs)) {
      const there = known.copyOf(snapshot);
      if (there) run.present(snapshot, there);
      else await run.take(snapshot);
    }
    await run.finish();
  } finally {
    await run.settled();
  }
  return run.done;
}

class SnapshotCopy {
  readonly done: SnapshotsCopied = {
    copies: new Map(),
    copied: 0,
    present: 0,
    damaged: [],
    blobs: 0,
    bytes: 0,
    storedBytes: 0,
  };
  readonly #from: Repository;
  readonly #to: Repository;
  readonly #options: CopySnapshotsOptions;
  readonly #filler: PackFiller;
  readonly #reached: EntrySet;
  readonly #lostEntries = new Set<number>();
  /** Why something couldn't be copied; from then on each snapshot is looked at alone. */
  #loss: string | undefined;
  #group: Snapshot[] = [];
  #missing: number[] = [];
  #missingBytes = 0;

  constructor(from: Repository, to: Repository, options: CopySnapshotsOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
    this.#filler = new PackFiller(to);
    this.#reached = new EntrySet(from.index.blobCount);
  }

  present(snapshot: Snapshot, there: Snapshot): void {
    this.done.present += 1;
    this.done.copies.set(snapshot.id, there.id);
  }

  async take(snapshot: Snapshot): Promise<void> {
    const { signal, progress } = this.#options;
    signal.throwIfAborted();
    progress({ step: 'finding what is missing' });
    const { lost } = await reachableBlobs(this.#from, [snapshot.tree], {
      signal,
      known: this.#reached,
      onUsed: (entry) => this.#need(entry),
    });
    if (lost[0]) this.#loss ??= lost[0].error.message;
    this.#group.push(snapshot);
    if (this.#missingBytes >= GROUP_BYTES) await this.#copyGroup();
  }

  async finish(): Promise<void> {
    if (this.#group.length > 0) await this.#copyGroup();
    this.done.storedBytes = this.#filler.storedBytes;
  }

  settled(): Promise<void> {
    return this.#filler.settled();
  }

  #need(entry: number): void {
    const { type, id, plainLength } = this.#from.index.locationOf(entry);
    if (this.#to.index.has(type, id)) return;
    this.#missing.push(entry);
    this.#missingBytes += plainLength;
  }

  async #copyGroup(): Promise<void> {
    const { signal, progress } = this.#options;
    const totalBytes = this.done.bytes + this.#missingBytes;
    await copyBlobs(this.#from, this.#filler, this.#missing, {
      signal,
      onCopied: (plainBytes) => {
        this.done.blobs += 1;
        this.done.bytes += plainBytes;
        progress({ step: 'copying', doneBytes: this.done.bytes, totalBytes });
      },
      onDamaged: (type, id, error) => {
        this.#loss ??= error.message;
        this.#lostEntries.add(this.#from.index.entryOf(type, id));
      },
    });
    await this.#filler.flush();
    for (const snapshot of this.#group) await this.#save(snapshot);
    this.#group = [];
    this.#missing = [];
    this.#missingBytes = 0;
  }

  async #save(snapshot: Snapshot): Promise<void> {
    this.#options.signal.throwIfAborted();
    const why = await this.#whyNotWhole(snapshot);
    if (why !== undefined) {
      this.done.damaged.push({ id: snapshot.id, why });
      return;
    }
    const saved = await this.#to.snapshots.save(copiedSnapshot(snapshot));
    this.done.copied += 1;
    this.done.copies.set(snapshot.id, saved.id);
  }

  async #whyNotWhole(snapshot: Snapshot): Promise<string | undefined> {
    if (this.#loss === undefined) return undefined;
    const { signal } = this.#options;
    const { used, lost } = await reachableBlobs(this.#from, [snapshot.tree], { signal });
    if (lost[0]) return lost[0].error.message;
    for (const entry of this.#lostEntries) if (used.has(entry)) return this.#loss;
    return undefined;
  }
}
