/** One entry by its path. */
import { decodeTree } from '../tree/decode-tree.ts';
import type { TreeNode } from '../tree/node.ts';
import { type TreeReader, TreesAhead } from './trees-ahead.ts';

/** `node` is undefined for the root itself, of which no tree tells. */
export type FoundPath =
  | { kind: 'directory'; tree: string; node: TreeNode | undefined }
  | { kind: 'entry'; node: TreeNode };

/** Undefined where the tree (hex id) holds no such path. Empty components are passed over. */
export async function findPath(
  reader: TreeReader,
  tree: string,
  path: Buffer,
  signal?: AbortSignal,
): Promise<FoundPath | undefined> {
  const trees = new TreesAhead(reader, signal);
  let found: FoundPath = { kind: 'directory', tree, node: undefined };
  for (const component of path.toString('latin1').split('/')) {
    if (component === '') continue;
    if (found.kind !== 'directory') return undefined;
    const name = Buffer.from(component, 'latin1');
    const node = nodeNamed(await trees.take(found.tree), name);
    if (!node) return undefined;
    const { subtree } = node;
    found =
      subtree === undefined ? { kind: 'entry', node } : { kind: 'directory', tree: subtree, node };
  }
  return found;
}

function nodeNamed(tree: Buffer, name: Buffer): TreeNode | undefined {
  for (const node of decodeTree(tree)) if (node.name.equals(name)) return node;
  return undefined;
}
