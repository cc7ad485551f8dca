/** Everything below a tree, depth first, in the order in which it lies. */
import { HoldfastError } from '#base';
import { decodeTree } from '../tree/decode-tree.ts';
import type { TreeNode } from '../tree/node.ts';
import { Lookahead } from './lookahead.ts';
import { type TreeReader, TreesAhead } from './trees-ahead.ts';

/** `path`: raw bytes from the root of the snapshot, with a slash before each component. */
export type TreeEntry = { path: Buffer; node: TreeNode };

export type TreeEntriesOptions = {
  signal?: AbortSignal;
  /** Path of the tree itself; '' (the default) where it is a snapshot's root. */
  root?: Buffer;
  /** False: what lies in this directory is passed over. It is given itself. */
  enters?: (entry: TreeEntry & { subtree: string }) => boolean;
  /** Everything in the directory that was entered last was given. */
  left?: () => void;
  /** A directory that can't be read whole; what can be read of it was given. Without this, the walk rejects. */
  onDamaged?: (path: Buffer, error: HoldfastError) => void;
};

/** Deeper trees have paths that no system opens: whoever holds the key could build them without end. */
const MAX_DEPTH = 4096;

const SLASH = Buffer.from('/');

type Level = { path: Buffer; nodes: Lookahead<TreeNode> };

/** Memory: for each level some hundred entries, and a bound of bytes for trees that were read ahead. */
export async function* treeEntries(
  reader: TreeReader,
  tree: string,
  options: TreeEntriesOptions = {},
): AsyncGenerator<TreeEntry> {
  const { enters = () => true, left, signal } = options;
  const trees = new TreesAhead(reader, signal);
  const levels: Level[] = [];
  const open = async (path: Buffer, id: string, following: Iterable<string>) => {
    try {
      const bytes = await trees.take(id, following);
      levels.push({ path, nodes: new Lookahead(readable(path, bytes, options)) });
    } catch (error) {
      tell(options, path, error);
      left?.();
    }
  };
  await open(options.root ?? Buffer.alloc(0), tree, []);
  for (let level = levels.at(-1); level; level = levels.at(-1)) {
    const node = level.nodes.next();
    if (!node) {
      levels.pop();
      if (levels.length > 0) left?.();
      continue;
    }
    signal?.throwIfAborted();
    const path = Buffer.concat([level.path, SLASH, node.name]);
    const entry = { path, node };
    yield entry;
    const { subtree } = node;
    if (subtree === undefined || levels.length > MAX_DEPTH) continue;
    if (enters({ ...entry, subtree })) await open(path, subtree, subtrees(level.nodes.following()));
  }
}

function* subtrees(nodes: Iterable<TreeNode>): Iterable<string> {
  for (const { subtree } of nodes) if (subtree !== undefined) yield subtree;
}

/** As many nodes as can be read. */
function* readable(path: Buffer, bytes: Buffer, options: TreeEntriesOptions): Generator<TreeNode> {
  try {
    yield* decodeTree(bytes);
  } catch (error) {
    tell(options, path, error);
  }
}

function tell({ onDamaged }: TreeEntriesOptions, path: Buffer, error: unknown): void {
  if (!onDamaged || !(error instanceof HoldfastError)) throw error;
  onDamaged(path, error);
}
