/** Which blobs snapshots need: a walk over all their trees that visits each tree once. */
import { HoldfastError } from '#base';
import { errors } from './errors.ts';
import type { BlobIndex } from './index/blob-index.ts';
import { type BlobType, ID_BYTES } from './names.ts';
import type { Repository } from './repository.ts';
import { decodeTree } from './tree/decode-tree.ts';
import type { TreeLinks } from './tree-links.ts';

const TREES_AT_ONCE = 512;

/** One bit for each entry of an index; grows where the index did meanwhile. */
export class EntrySet {
  #bits: Uint8Array;
  #count = 0;

  constructor(entries: number) {
    this.#bits = new Uint8Array(Math.ceil(entries / 8));
  }

  get count(): number {
    return this.#count;
  }

  has(entry: number): boolean {
    return ((this.#bits[entry >>> 3] ?? 0) & (1 << (entry & 7))) !== 0;
  }

  remove(entry: number): void {
    if (!this.has(entry)) return;
    this.#bits[entry >>> 3] = (this.#bits[entry >>> 3] as number) & ~(1 << (entry & 7));
    this.#count -= 1;
  }

  /** From the lowest on. */
  *members(): Iterable<number> {
    for (const [at, byte] of this.#bits.entries()) {
      if (byte === 0) continue;
      for (let bit = 0; bit < 8; bit += 1) if (byte & (1 << bit)) yield at * 8 + bit;
    }
  }

  /** True where it wasn't in before. */
  add(entry: number): boolean {
    if (this.has(entry)) return false;
    if (entry >>> 3 >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(entry + 1, this.#bits.length * 2));
      larger.set(this.#bits);
      this.#bits = larger;
    }
    this.#bits[entry >>> 3] = (this.#bits[entry >>> 3] as number) | (1 << (entry & 7));
    this.#count += 1;
    return true;
  }
}

/** A blob that snapshots need and that no pack gives back. */
export type LostBlob = { type: BlobType; id: Buffer; error: HoldfastError };

export type Reachable = {
  /** First entries (`index.entryOf`) of the needed blobs. */
  used: EntrySet;
  trees: number;
  lost: LostBlob[];
};

export type ReachOptions = {
  signal?: AbortSignal;
  onTrees?: (count: number) => void;
  /** Of trees that were read before, of the same index: they aren't read again. */
  links?: TreeLinks | undefined;
  /** Of a walk before: what was reached then isn't reached again. It grows. */
  known?: EntrySet;
  /** Each entry that is reached for the first time. */
  onUsed?: (entry: number) => void;
};

/** Reads every tree below the roots (hex ids). Data blobs are only looked up. */
export async function reachableBlobs(
  repository: Repository,
  roots: Iterable<string>,
  options: ReachOptions = {},
): Promise<Reachable> {
  const walk = new Walk(repository.index, options);
  for (const root of roots) walk.needTree(Buffer.from(root, 'hex'));
  for (walk.follow(); walk.waiting.length > 0; walk.follow()) {
    const batch = walk.waiting.splice(-TREES_AT_ONCE);
    await repository.readBlobs('tree', Buffer.concat(batch), (id, bytes) => walk.visit(id, bytes), {
      ...(options.signal && { signal: options.signal }),
      onDamaged: (id, error) => walk.lose('tree', id, error),
    });
    options.onTrees?.(walk.trees);
  }
  return { used: walk.used, trees: walk.trees, lost: walk.lost };
}

class Walk {
  readonly used: EntrySet;
  readonly lost: LostBlob[] = [];
  readonly waiting: Buffer[] = [];
  trees = 0;
  readonly #index: BlobIndex;
  readonly #lostIds = new Set<string>();
  readonly #onUsed: ReachOptions['onUsed'];
  readonly #links: TreeLinks | undefined;
  /** Entries of trees of which the links are known. */
  readonly #linked: number[] = [];

  constructor(index: BlobIndex, { known, onUsed, links }: ReachOptions) {
    this.#index = index;
    if (links?.index === index) this.#links = links;
    this.#onUsed = onUsed;
    this.used = known ?? new EntrySet(index.blobCount);
  }

  needTree(id: Buffer): void {
    const entry = this.#need('tree', id, 0);
    if (entry === undefined) return;
    if (this.#links?.of(entry)) this.#linked.push(entry);
    else this.waiting.push(id);
  }

  /** As far as links are known. */
  follow(): void {
    for (let tree = this.#linked.pop(); tree !== undefined; tree = this.#linked.pop()) {
      this.trees += 1;
      for (const entry of this.#links?.of(tree) ?? []) {
        if (!this.#use(entry) || !this.#index.isTree(entry)) continue;
        if (this.#links?.of(entry)) this.#linked.push(entry);
        else this.waiting.push(Buffer.from(this.#index.locationOf(entry).id));
      }
    }
  }

  visit(id: Buffer, bytes: Buffer): void {
    this.trees += 1;
    try {
      for (const node of decodeTree(bytes)) {
        if (node.subtree !== undefined) this.needTree(Buffer.from(node.subtree, 'hex'));
        const content = node.content ?? Buffer.alloc(0);
        for (let at = 0; at < content.length; at += ID_BYTES) this.#need('data', content, at);
      }
    } catch (error) {
      this.lose('tree', id, error);
    }
  }

  lose(type: BlobType, id: Buffer, error: unknown): void {
    if (!(error instanceof HoldfastError)) throw error;
    const known = `${type}${id.toString('hex')}`;
    if (this.#lostIds.has(known)) return;
    this.#lostIds.add(known);
    this.lost.push({ type, id: Buffer.from(id), error });
  }

  /** Its entry at the first time, where it is in the index. */
  #need(type: BlobType, ids: Buffer, at: number): number | undefined {
    const entry = this.#index.entryOf(type, ids, at);
    if (entry >= 0) return this.#use(entry) ? entry : undefined;
    const id = ids.subarray(at, at + ID_BYTES);
    this.lose(type, id, errors.blobMissing([type, id.toString('hex')]));
    return undefined;
  }

  /** True at the first time. */
  #use(entry: number): boolean {
    const isNew = this.used.add(entry);
    if (isNew) this.#onUsed?.(entry);
    return isNew;
  }
}
