/**
 * Trees without some of their entries. What stays is taken over byte for byte, so that fields which only other programs
 * know stay too.
 */
import { hash } from 'node:crypto';
import type { Repository } from '../repository.ts';
import { decodePlacedNodes } from '../tree/decode-tree.ts';

/** True where an entry is to go. The path is relative to the root, one character a byte (latin1). */
export type LeavesOut = (path: string, isDirectory: boolean) => boolean;

export type RewrittenTree = {
  id: string;
  /** Entries that went; a directory counts as one, with all that lies below. */
  removed: number;
};

/** Directories that are remembered, so that snapshots which share them are quick; begun anew beyond. */
const MAX_REMEMBERED = 250_000;

const HEAD = Buffer.from('{"nodes":[');
const TAIL = Buffer.from(']}\n');
const COMMA = Buffer.from(',');

export class TreeRewriter {
  readonly #repository: Pick<Repository, 'readBlob'>;
  readonly #leavesOut: LeavesOut;
  readonly #save: (encoded: readonly Buffer[]) => Promise<string>;
  readonly #known = new Map<string, RewrittenTree>();

  /** `save`: stores a tree and resolves to its id; see `treeId` where nothing is to be stored. */
  constructor(
    repository: Pick<Repository, 'readBlob'>,
    leavesOut: LeavesOut,
    save: (encoded: readonly Buffer[]) => Promise<string>,
  ) {
    this.#repository = repository;
    this.#leavesOut = leavesOut;
    this.#save = save;
  }

  /** The same id where nothing of it goes. Rejects where a tree below is damaged. */
  async rewrite(tree: string, path = ''): Promise<RewrittenTree> {
    // What goes depends on where it lies.
    const key = `${tree}/${path}`;
    const known = this.#known.get(key);
    if (known) return known;
    const rewritten = await this.#rewriteNew(tree, path);
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    this.#known.set(key, rewritten);
    return rewritten;
  }

  async #rewriteNew(tree: string, path: string): Promise<RewrittenTree> {
    const bytes = await this.#repository.readBlob('tree', tree);
    const parts: Buffer[] = [HEAD];
    let removed = 0;
    let changed = false;
    for (const { node, start, end } of decodePlacedNodes(bytes)) {
      const name = node.name.toString('latin1');
      const nodePath = path === '' ? name : `${path}/${name}`;
      if (this.#leavesOut(nodePath, node.kind === 'dir')) {
        removed += 1;
        changed = true;
        continue;
      }
      let json = bytes.subarray(start, end);
      if (node.subtree !== undefined) {
        const below = await this.rewrite(node.subtree, nodePath);
        removed += below.removed;
        if (below.id !== node.subtree) {
          json = withSubtree(json, node.subtree, below.id);
          changed = true;
        }
      }
      if (parts.length > 1) parts.push(COMMA);
      parts.push(json);
    }
    if (!changed) return { id: tree, removed: 0 };
    return { id: await this.#save([...parts, TAIL]), removed };
  }
}

/** The id that these bytes have, wherever they are stored. */
export async function treeId(encoded: readonly Buffer[]): Promise<string> {
  return hash('sha256', Buffer.concat(encoded), 'hex');
}

/** The field can't be met inside a string, where its quotes would be escaped. */
function withSubtree(json: Buffer, from: string, to: string): Buffer {
  const changed = Buffer.from(json);
  const field = /"subtree"\s*:\s*"$/;
  for (let at = json.indexOf(`"${from}"`); at >= 0; at = json.indexOf(`"${from}"`, at + 1)) {
    if (!field.test(json.toString('latin1', Math.max(0, at - 64), at + 1))) continue;
    changed.write(to, at + 1, 'latin1');
    return changed;
  }
  throw new Error(`a node has no subtree ${from}`);
}
