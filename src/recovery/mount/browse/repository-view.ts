/** What of a repository is shown: folders of snapshots that stay up to date, directories, files. */
import { type HoldfastError, systemClock } from '#base';
import type { Repository, TreeNode } from '#repository';
import { BlobCache } from '../blob-cache.ts';
import { type ContentReader, contentSize, openContent } from './file-content.ts';
import { type FolderEntry, foldersOf } from './folders.ts';
import { type Listing, Listings } from './listings.ts';
import { type BrowseNode, numberOfPath } from './nodes.ts';

const CACHE_BYTES = 128 * 1024 * 1024;
/** New snapshots show after so long. */
const REFRESH_MS = 5_000;
/** More blobs than these aren't looked up for a stat: what the snapshot noted as size is shown until it is opened. */
const BLOBS_COUNTED = 1024;
const ID_BYTES = 32;

export type NamedNode = { name: Buffer; node: BrowseNode };

export type BrowsedFolder =
  | {
      kind: 'ours';
      count: number;
      entries: readonly NamedNode[];
      /** By name as latin1. */
      byName: ReadonlyMap<string, NamedNode>;
    }
  | { kind: 'tree'; count: number; tree: string; listing: Listing };

export class BrowsedRepository {
  readonly #repository: Repository;
  readonly #listings: Listings;
  readonly #blobs: BlobCache;
  readonly #onDamaged: (error: HoldfastError) => void;
  #root: ReadonlyMap<string, FolderEntry> = new Map();
  /** Those that were looked at since the snapshots changed. */
  readonly #ours = new Map<string, BrowsedFolder>();
  #shown = '';
  #refreshedMs = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | undefined;

  constructor(repository: Repository, onDamaged: (error: HoldfastError) => void) {
    this.#repository = repository;
    this.#listings = new Listings(repository);
    this.#blobs = new BlobCache(repository, { maxBytes: CACHE_BYTES });
    this.#onDamaged = onDamaged;
  }

  /** Undefined where the node is no directory, or is gone. */
  async folder(node: BrowseNode): Promise<BrowsedFolder | undefined> {
    if (node.kind === 'folder') return await this.#ourFolder(node.path);
    const tree = treeOf(node);
    if (tree === undefined) return undefined;
    const listing = await this.#listings.get(tree);
    return { kind: 'tree', count: listing.count, tree, listing };
  }

  /** Undefined where a blob of it is in no index. */
  openFile(entry: TreeNode): ContentReader | undefined {
    return openContent(this.#repository.index, this.#blobs, entry.content ?? Buffer.alloc(0));
  }

  sizeOf(entry: TreeNode): bigint {
    const ids = entry.content ?? Buffer.alloc(0);
    if (ids.length > BLOBS_COUNTED * ID_BYTES) return entry.sizeBytes;
    const size = contentSize(this.#repository.index, ids);
    return size === undefined ? entry.sizeBytes : BigInt(size);
  }

  /** Reads the list of snapshots where it is older than some seconds. */
  async refresh(): Promise<void> {
    if (systemClock.monotonicMs() - this.#refreshedMs < REFRESH_MS) return;
    this.#refreshing ??= this.#readSnapshots().finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
  }

  async #readSnapshots(): Promise<void> {
    const { snapshots } = this.#repository;
    const shown = (await snapshots.ids()).sort().join(' ');
    if (shown !== this.#shown) {
      this.#root = foldersOf(await snapshots.list({}, (_, error) => this.#onDamaged(error)));
      await this.#repository.loadIndex();
      this.#ours.clear();
      this.#shown = shown;
    }
    this.#refreshedMs = systemClock.monotonicMs();
  }

  async #ourFolder(path: string): Promise<BrowsedFolder | undefined> {
    await this.refresh();
    const known = this.#ours.get(path);
    if (known) return known;
    let entries = this.#root;
    for (const name of path === '' ? [] : path.split('/')) {
      const entry = entries.get(name);
      if (entry?.kind !== 'folder') return undefined;
      entries = entry.entries;
    }
    const folder = folderOf(path, entries);
    this.#ours.set(path, folder);
    return folder;
  }
}

function folderOf(path: string, entries: ReadonlyMap<string, FolderEntry>): BrowsedFolder {
  const children = [...entries].map(([name, entry]) => ({
    name: Buffer.from(name),
    node: nodeOf(path === '' ? name : `${path}/${name}`, entry),
  }));
  const byName = new Map(children.map((child) => [child.name.toString('latin1'), child]));
  return { kind: 'ours', count: children.length, entries: children, byName };
}

function nodeOf(path: string, entry: FolderEntry): BrowseNode {
  const number = numberOfPath(path);
  if (entry.kind === 'folder') return { number, kind: 'folder', path };
  if (entry.kind === 'link') return { number, kind: 'link', target: entry.target };
  const { tree, timeMs } = entry.snapshot;
  return { number, kind: 'snapshot', tree, timeMs };
}

function treeOf(node: BrowseNode): string | undefined {
  if (node.kind === 'snapshot') return node.tree;
  return node.kind === 'entry' ? node.entry.subtree : undefined;
}
