/** Sums over differences: how much was added, removed and changed, and what of it the other side didn't hold. */
import type { BlobIndex } from '../index/blob-index.ts';
import { ID_BYTES } from '../names.ts';
import { EntrySet } from '../reachable-blobs.ts';
import type { TreeNode } from '../tree/node.ts';
import type { Difference } from './diff.ts';

export type Amount = {
  files: number;
  directories: number;
  /** Links, FIFOs, devices, sockets. */
  others: number;
  /** Of regular files. */
  bytes: number;
};

export type DiffTotals = {
  added: Amount;
  removed: Amount;
  /** Entries that are there on both sides. */
  content: number;
  metadata: number;
  type: number;
  /** Plain bytes of the differing files' blobs that only the after, or only the before side refers to. */
  newBytes: number;
  goneBytes: number;
};

export class DiffCounter {
  readonly #index: BlobIndex;
  readonly #before: EntrySet;
  readonly #after: EntrySet;
  readonly #totals: Omit<DiffTotals, 'newBytes' | 'goneBytes'> = {
    added: nothing(),
    removed: nothing(),
    content: 0,
    metadata: 0,
    type: 0,
  };

  constructor(index: BlobIndex) {
    this.#index = index;
    this.#before = new EntrySet(index.blobCount);
    this.#after = new EntrySet(index.blobCount);
  }

  add({ change, before, after }: Difference): void {
    if (change === 'added' && after) count(this.#totals.added, after);
    else if (change === 'removed' && before) count(this.#totals.removed, before);
    else if (change === 'content' || change === 'metadata' || change === 'type') {
      this.#totals[change] += 1;
    }
    this.#note(this.#before, before);
    this.#note(this.#after, after);
  }

  totals(): DiffTotals {
    return {
      ...this.#totals,
      newBytes: this.#bytesOnlyIn(this.#after, this.#before),
      goneBytes: this.#bytesOnlyIn(this.#before, this.#after),
    };
  }

  #note(set: EntrySet, node: TreeNode | undefined): void {
    const content = node?.content;
    if (!content) return;
    for (let at = 0; at < content.length; at += ID_BYTES) {
      const entry = this.#index.entryOf('data', content, at);
      if (entry >= 0) set.add(entry);
    }
  }

  #bytesOnlyIn(set: EntrySet, other: EntrySet): number {
    let bytes = 0;
    for (let entry = 0; entry < this.#index.blobCount; entry += 1) {
      if (!set.has(entry) || other.has(entry)) continue;
      bytes += this.#index.locationOf(entry).plainLength;
    }
    return bytes;
  }
}

function nothing(): Amount {
  return { files: 0, directories: 0, others: 0, bytes: 0 };
}

function count(amount: Amount, { kind, sizeBytes }: TreeNode): void {
  if (kind === 'file') {
    amount.files += 1;
    amount.bytes += Number(sizeBytes);
  } else if (kind === 'dir') amount.directories += 1;
  else amount.others += 1;
}
