/** Trees that were laid out lately, decoded: a second mount of the same point reads none of them. */
import { ID_BYTES, type TreeNode } from '#repository';
import type { KnownTrees } from '../../restore/request.ts';
import { readTrees, type TreeReader, takenNodes } from '../../restore/tree-reader.ts';

/** With the ids of 40 GiB in blocks of 128 KiB in a third of it. */
const MOST_BYTES = 32 * 2 ** 20;
/** About what an entry takes besides the ids of its blobs. */
const NODE_BYTES = 1024;
const TREE_BYTES = 200;

export class RecentTrees implements KnownTrees {
  readonly #mostBytes: number;
  /** By hex id, in order of use, the one used last at the end. */
  readonly #kept = new Map<string, { nodes: readonly TreeNode[]; bytes: number }>();
  #keptBytes = 0;

  constructor(mostBytes = MOST_BYTES) {
    this.#mostBytes = mostBytes;
  }

  get(tree: string): readonly TreeNode[] | undefined {
    const kept = this.#kept.get(tree);
    if (!kept) return undefined;
    this.#kept.delete(tree);
    this.#kept.set(tree, kept);
    return kept.nodes;
  }

  /** Of one that is too large nothing is kept, and no more than that is held meanwhile. */
  taking(tree: string): { take(node: TreeNode): void; end(): void } {
    const nodes: TreeNode[] = [];
    let bytes = TREE_BYTES;
    return {
      take: (node) => {
        bytes += bytesOf(node);
        if (bytes <= this.#mostBytes) nodes.push(ownNode(node));
        else nodes.length = 0;
      },
      end: () => {
        if (bytes <= this.#mostBytes) this.#keep(tree, { nodes, bytes });
      },
    };
  }

  /**
   * Reads what isn't known yet of a tree and all below it, so that the first mount reads none of it either. Gives up
   * where it is more than can be kept; what can't be read is told to who mounts it.
   */
  async readAll(repository: TreeReader, root: string, signal?: AbortSignal): Promise<void> {
    const pending = [root];
    let bytes = 0;
    while (pending.length > 0) {
      const tree = pending.pop() as string;
      const nodes = this.get(tree) ?? (await this.#read(repository, tree, signal));
      for (const node of nodes) {
        bytes += bytesOf(node);
        if (node.subtree !== undefined) pending.push(node.subtree);
      }
      if (nodes.length === 0 || bytes > this.#mostBytes) return;
    }
  }

  async #read(
    repository: TreeReader,
    tree: string,
    signal?: AbortSignal,
  ): Promise<readonly TreeNode[]> {
    const bytes = (await readTrees(repository, [tree], signal)).get(tree);
    if (!(bytes instanceof Buffer)) return [];
    for (const _ of takenNodes(bytes, this.taking(tree)));
    return this.get(tree) ?? [];
  }

  #keep(tree: string, kept: { nodes: readonly TreeNode[]; bytes: number }): void {
    if (this.#kept.has(tree)) return;
    this.#kept.set(tree, kept);
    this.#keptBytes += kept.bytes;
    for (const [oldest, { bytes }] of this.#kept) {
      if (this.#keptBytes <= this.#mostBytes) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= bytes;
    }
  }
}

const bytesOf = ({ content }: TreeNode) => NODE_BYTES + (content?.length ?? 0);

/** Whose bytes don't lie in those of its tree, which would be kept with them. */
function ownNode(node: TreeNode): TreeNode {
  const { name, content } = node;
  const isOwn = !content || content.buffer.byteLength < content.length + 16 * ID_BYTES;
  return {
    ...node,
    name: Buffer.from(name),
    ...(content && !isOwn ? { content: Buffer.from(content) } : {}),
  };
}
