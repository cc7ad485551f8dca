/** How much is kept, what it takes, and what it would be without deduplication and compression. */
import type { Cutting } from '../chunking/cutting.ts';
import type { Repository } from '../repository.ts';
import type { SnapshotFilter } from '../snapshots/snapshots.ts';
import { decodeTree } from '../tree/decode-tree.ts';

export type RepositoryStats = {
  snapshots: number;
  packs: number;
  dataBlobs: number;
  treeBlobs: number;
  /** Plain bytes of all blobs, and what they take, sealed, in packs. */
  plainBytes: number;
  storedBytes: number;
  /** Files and bytes that restoring every snapshot (of the filter) would give. */
  restoreFiles: number;
  restoreBytes: number;
  /** `restoreBytes` over `storedBytes`; 0 where nothing is stored. */
  ratio: number;
  /** How new files are cut: `rabin` as restic cuts, because it has stored snapshots here, else `gear`. */
  cuttingStyle: Cutting['style'];
  /** Memory of the index. */
  indexBytes: number;
};

/** Names of one file are counted once a snapshot: they are kept apart until a whole snapshot is known. */
type Total = { files: number; bytes: number; linked: Map<string, number> };

export async function repositoryStats(
  repository: Repository,
  options: { filter?: SnapshotFilter; signal?: AbortSignal } = {},
): Promise<RepositoryStats> {
  const snapshots = await repository.snapshots.list(options.filter);
  await repository.loadIndex();
  const { index } = repository;
  const blobs = { data: 0, tree: 0 };
  let plainBytes = 0;
  let storedBytes = 0;
  for (const pack of index.packs()) {
    for (const blob of pack.blobs) {
      blobs[blob.type] += 1;
      plainBytes += blob.plainLength;
      storedBytes += blob.length;
    }
  }
  const totals = new Map<string, Total>();
  let restoreFiles = 0;
  let restoreBytes = 0;
  for (const { tree } of snapshots) {
    const total = await totalOf(repository, tree, totals, options.signal);
    restoreFiles += total.files + total.linked.size;
    restoreBytes += total.bytes;
    for (const sizeBytes of total.linked.values()) restoreBytes += sizeBytes;
  }
  return {
    snapshots: snapshots.length,
    cuttingStyle: await repository.cuttingStyle(),
    packs: index.packCount,
    dataBlobs: blobs.data,
    treeBlobs: blobs.tree,
    plainBytes,
    storedBytes,
    restoreFiles,
    restoreBytes,
    ratio: storedBytes === 0 ? 0 : restoreBytes / storedBytes,
    indexBytes: index.sizeBytes,
  };
}

/** Each tree is read once, however many snapshots share it. */
async function totalOf(
  repository: Repository,
  tree: string,
  totals: Map<string, Total>,
  signal: AbortSignal | undefined,
): Promise<Total> {
  const known = totals.get(tree);
  if (known) return known;
  signal?.throwIfAborted();
  const total: Total = { files: 0, bytes: 0, linked: new Map() };
  const subtrees: string[] = [];
  for (const node of decodeTree(await repository.readBlob('tree', tree))) {
    if (node.subtree !== undefined) subtrees.push(node.subtree);
    if (node.kind !== 'file') continue;
    const sizeBytes = Number(node.sizeBytes);
    if (node.links > 1n) total.linked.set(`${node.deviceId}:${node.inode}`, sizeBytes);
    else {
      total.files += 1;
      total.bytes += sizeBytes;
    }
  }
  for (const subtree of subtrees) {
    const below = await totalOf(repository, subtree, totals, signal);
    total.files += below.files;
    total.bytes += below.bytes;
    for (const [file, sizeBytes] of below.linked) total.linked.set(file, sizeBytes);
  }
  totals.set(tree, total);
  return total;
}
