/** What the kernel holds on to: nodes by number, as long as it has not forgotten them. */
import { hash } from 'node:crypto';
import type { TreeNode } from '#repository';
import { ROOT_NODE } from '../fuse/opcodes.ts';

export type BrowseNode = {
  /** Of the node, and what a stat shows as inode: the same whenever the same place is looked at. */
  number: bigint;
} & (
  | { kind: 'folder'; path: string }
  | { kind: 'link'; target: string }
  /** The root of a snapshot. */
  | { kind: 'snapshot'; tree: string; timeMs: number }
  | { kind: 'entry'; entry: TreeNode }
);

export const ROOT: BrowseNode = { number: ROOT_NODE, kind: 'folder', path: '' };

/**
 * A directory has one place, or the kernel would move it about; what is equal in several snapshots otherwise shares a
 * number, and with it the kernel's cache of its pages. Names of one file (hard links) share one, too.
 */
export function numberOfEntry(parent: BrowseNode, tree: string, entry: TreeNode): bigint {
  const name = entry.name.toString('latin1');
  if (entry.kind === 'dir') return numberOf(`dir ${parent.number} ${name}`);
  if (entry.links < 2n || entry.inode === 0n) return numberOf(`in ${tree} ${name}`);
  const { deviceId, inode, mtimeNs, ctimeNs, sizeBytes } = entry;
  const content = entry.content?.toString('latin1', 0, 32) ?? '';
  return numberOf(`linked ${deviceId} ${inode} ${mtimeNs} ${ctimeNs} ${sizeBytes} ${content}`);
}

export function numberOfPath(path: string): bigint {
  return path === '' ? ROOT_NODE : numberOf(`path ${path}`);
}

/** 0 and 1 have a meaning of their own. */
function numberOf(key: string): bigint {
  const number = hash('sha256', key, 'buffer').readBigUInt64LE(0);
  return number > ROOT_NODE ? number : number + 2n;
}

export class NodeTable {
  readonly #held = new Map<bigint, { node: BrowseNode; lookups: bigint }>();

  get count(): number {
    return this.#held.size;
  }

  get(number: bigint): BrowseNode | undefined {
    return number === ROOT_NODE ? ROOT : this.#held.get(number)?.node;
  }

  /** The kernel is told of this node once more; it will forget as often. */
  hold(node: BrowseNode): void {
    const held = this.#held.get(node.number);
    if (held) held.lookups += 1n;
    else this.#held.set(node.number, { node, lookups: 1n });
  }

  forget(number: bigint, lookups: bigint): void {
    const held = this.#held.get(number);
    if (!held) return;
    held.lookups -= lookups;
    if (held.lookups <= 0n) this.#held.delete(number);
  }
}
