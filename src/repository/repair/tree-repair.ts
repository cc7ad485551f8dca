import { ID_BYTES } from '../names.ts';
import type { Repository } from '../repository.ts';
import { decodeTree } from '../tree/decode-tree.ts';
import { encodeTree } from '../tree/encode-tree.ts';
import type { TreeNode } from '../tree/node.ts';
import type { RepositoryWriter } from '../writer/writer.ts';
import { isLoss } from './loss.ts';

/** A file or folder that is not what it was. */
export type Cut = { path: string; what: string };

/** What became of a tree: its id now, and what was cut below it, by paths from there. */
type Repaired = { tree: string | undefined; cut: Cut[] };

/**
 * Trees without what is lost: a file keeps what is left of its content, a folder that can't be read is left empty. Most
 * trees are shared by many snapshots; each is looked at once.
 */
export class TreeRepair {
  readonly #repository: Repository;
  readonly #writer: RepositoryWriter | undefined;
  readonly #known = new Map<string, Repaired>();

  /** Without a writer nothing is written, and ids are those of before. */
  constructor(repository: Repository, writer: RepositoryWriter | undefined) {
    this.#repository = repository;
    this.#writer = writer;
  }

  /** The id of the tree without what is lost; undefined where it can't be read itself. `path` ends with `/`. */
  async repaired(tree: string, path: string, cut: Cut[]): Promise<string | undefined> {
    const known = this.#known.get(tree) ?? (await this.#repair(tree));
    this.#known.set(tree, known);
    for (const one of known.cut) cut.push({ ...one, path: path + one.path });
    return known.tree;
  }

  async #repair(tree: string): Promise<Repaired> {
    const cut: Cut[] = [];
    let nodes: TreeNode[];
    try {
      nodes = [...decodeTree(await this.#repository.readBlob('tree', tree))];
    } catch (error) {
      if (!isLoss(error)) throw error;
      return { tree: undefined, cut: [{ path: '', what: error.message }] };
    }
    const kept: TreeNode[] = [];
    for (const node of nodes) kept.push(await this.#repairNode(node, cut));
    if (cut.length === 0 || !this.#writer) return { tree, cut };
    return { tree: await this.#writer.saveTree(encodeTree(kept)), cut };
  }

  async #repairNode(node: TreeNode, cut: Cut[]): Promise<TreeNode> {
    const name = node.name.toString('utf8');
    if (node.subtree !== undefined) {
      const subtree = await this.repaired(node.subtree, `${name}/`, cut);
      return { ...node, subtree: subtree ?? (await this.#emptyTree()) };
    }
    if (!node.content) return node;
    const left = this.#whatIsLeft(node.content);
    const missing = (node.content.length - left.content.length) / ID_BYTES;
    if (missing === 0) return node;
    const whole = node.content.length / ID_BYTES;
    const what =
      missing === whole
        ? 'all of its content is lost'
        : `${missing} of its ${whole} pieces are lost: what is left is ${left.bytes} of ${node.sizeBytes} bytes`;
    cut.push({ path: name, what });
    return { ...node, content: left.content, sizeBytes: BigInt(left.bytes) };
  }

  #whatIsLeft(content: Buffer): { content: Buffer; bytes: number } {
    const kept: Buffer[] = [];
    let bytes = 0;
    for (let at = 0; at < content.length; at += ID_BYTES) {
      const location = this.#repository.index.lookup('data', content, at);
      if (!location) continue;
      kept.push(content.subarray(at, at + ID_BYTES));
      bytes += location.plainLength;
    }
    return { content: Buffer.concat(kept), bytes };
  }

  /** In a dry run any id will do. */
  async #emptyTree(): Promise<string> {
    return this.#writer ? this.#writer.saveTree(encodeTree([])) : '0'.repeat(2 * ID_BYTES);
  }
}
