/** Entries of many snapshots by name, time, kind or content. What snapshots share is looked through once. */
import type { FileKind, HoldfastError } from '#base';
import type { Repository } from '../repository.ts';
import type { Snapshot } from '../snapshots/snapshot-json.ts';
import type { TreeNode } from '../tree/node.ts';
import { type TreeEntry, treeEntries } from '../walk/tree-entries.ts';
import { componentsOf, type Glob } from './glob.ts';

export type FindQuery = {
  /** One of them must match; none: every entry does. */
  patterns?: readonly Glob[];
  kinds?: readonly FileKind[];
  /** By time of change, ms since 1970: only later ones, only earlier ones. */
  newerMs?: number;
  olderMs?: number;
  /** Beginnings of hex ids: files that hold one of these blobs. */
  blobs?: readonly string[];
  /** Beginnings of hex ids: directories with one of these trees. */
  trees?: readonly string[];
};

export type FindOptions = {
  signal?: AbortSignal;
  onDamaged?: (snapshot: Snapshot, path: Buffer, error: HoldfastError) => void;
};

export type Finding = TreeEntry & { snapshot: Snapshot };

/** Directories in which nothing was found; the set is begun anew when it grows beyond this. */
const MAX_REMEMBERED = 500_000;

/** In the order of the snapshots given, and of the paths within each. `loadIndex` comes before. */
export async function* findEntries(
  repository: Pick<Repository, 'index' | 'readBlobs'>,
  snapshots: Iterable<Snapshot>,
  query: FindQuery,
  options: FindOptions = {},
): AsyncGenerator<Finding> {
  const search = new Search(query);
  for (const snapshot of snapshots) {
    const entries = treeEntries(repository, snapshot.tree, {
      ...(options.signal && { signal: options.signal }),
      enters: ({ path, subtree }) => search.enter(path, subtree),
      left: () => search.leave(),
      onDamaged: (path, error) => {
        search.found += 1;
        if (!options.onDamaged) throw error;
        options.onDamaged(snapshot, path, error);
      },
    });
    for await (const entry of entries) {
      if (!search.wants(entry)) continue;
      search.found += 1;
      yield { ...entry, snapshot };
    }
  }
}

type Entered = { key: string; foundBefore: number };

class Search {
  found = 0;
  readonly #query: FindQuery;
  readonly #barren = new Set<string>();
  readonly #entered: Entered[] = [];

  constructor(query: FindQuery) {
    this.#query = query;
  }

  wants({ path, node }: TreeEntry): boolean {
    const { patterns, kinds, newerMs, olderMs, blobs, trees } = this.#query;
    if (kinds && !kinds.includes(node.kind)) return false;
    const mtimeMs = Number(node.mtimeNs / 1_000_000n);
    if (newerMs !== undefined && mtimeMs <= newerMs) return false;
    if (olderMs !== undefined && mtimeMs >= olderMs) return false;
    if (blobs || trees) {
      const held = (blobs && holdsBlob(node, blobs)) || (trees && isTree(node, trees));
      if (!held) return false;
    }
    if (!patterns?.length) return true;
    const components = componentsOf(path);
    return patterns.some((glob) => glob.matches(components));
  }

  enter(path: Buffer, subtree: string): boolean {
    // The same tree at the same path gives the same, whichever snapshot it is in.
    const key = `${subtree}${path.toString('latin1')}`;
    if (this.#barren.has(key)) return false;
    const { patterns } = this.#query;
    const components = componentsOf(path);
    if (patterns?.length && !patterns.some((glob) => glob.mayMatchBelow(components))) return false;
    this.#entered.push({ key, foundBefore: this.found });
    return true;
  }

  leave(): void {
    const entered = this.#entered.pop();
    if (!entered || entered.foundBefore !== this.found) return;
    if (this.#barren.size >= MAX_REMEMBERED) this.#barren.clear();
    this.#barren.add(entered.key);
  }
}

function holdsBlob({ content }: TreeNode, prefixes: readonly string[]): boolean {
  if (!content) return false;
  for (let at = 0; at < content.length; at += 32) {
    const id = content.toString('hex', at, at + 32);
    if (prefixes.some((prefix) => id.startsWith(prefix))) return true;
  }
  return false;
}

function isTree({ subtree }: TreeNode, prefixes: readonly string[]): boolean {
  return subtree !== undefined && prefixes.some((prefix) => subtree.startsWith(prefix));
}
