/** What the kernel holds on to of a lazy folder: files and folders by number, and by which names they are reached now. */
import fs, { type BigIntStats } from 'node:fs';
import { ROOT_NODE } from '../fuse/opcodes.ts';

type Name = { parent: FolderNode; name: string };

export type FolderNode = {
  /** Never used again for another file, as the file system below may do with inodes. */
  number: bigint;
  inode: bigint;
  /** Several where it is linked several times; none once it was removed. Raw bytes as latin1. */
  names: Name[];
  lookups: bigint;
  /** Number among the lazy files; undefined where all of it is here. */
  lazy: number | undefined;
  /** Bytes that were written since they were last made durable. */
  unsyncedBytes: number;
  /** Open descriptors, by which it is reached when it has no name any more. */
  descriptors: number[];
  /** One of them that nobody opened but we: it has another name, which the kernel never asked for. */
  kept?: number;
};

export class NodeTable {
  readonly #rootPath: string;
  readonly #root: FolderNode;
  readonly #byNumber = new Map<bigint, FolderNode>();
  /** Those that have a name. */
  readonly #byInode = new Map<bigint, FolderNode>();
  readonly #lazyNumber: (stat: BigIntStats) => number | undefined;
  #next = ROOT_NODE + 1n;

  constructor(rootPath: string, lazyNumber: (stat: BigIntStats) => number | undefined) {
    this.#rootPath = Buffer.from(rootPath).toString('latin1');
    this.#lazyNumber = lazyNumber;
    this.#root = nodeOf(ROOT_NODE, 0n, undefined);
    this.#byNumber.set(ROOT_NODE, this.#root);
  }

  get(number: bigint): FolderNode | undefined {
    return this.#byNumber.get(number);
  }

  /** The kernel is told of it once more, by this name. */
  hold(parent: FolderNode, name: Buffer, stat: BigIntStats): FolderNode {
    const node = this.#byInode.get(stat.ino) ?? this.#add(stat);
    node.lookups += 1n;
    this.#name(node, parent, name.toString('latin1'));
    return node;
  }

  /**
   * Before this name goes: a file that is linked elsewhere lives on, and the kernel may still have something to say to
   * it, though no name of it is known here. Closed when the kernel forgets it.
   */
  keepReachable(path: Buffer, stat: BigIntStats): void {
    const node = this.#byInode.get(stat.ino);
    if (!node || !stat.isFile() || stat.nlink < 2n || node.names.length > 1) return;
    if (node.kept !== undefined) return;
    node.kept = fs.openSync(path, 'r+');
    node.descriptors.push(node.kept);
  }

  /** What stood behind this name doesn't any more. `isGone`: it was its last name. */
  removed(parent: FolderNode, name: Buffer, inode: bigint, isGone: boolean): void {
    const node = this.#byInode.get(inode);
    if (!node) return;
    const text = name.toString('latin1');
    node.names = node.names.filter((known) => known.parent !== parent || known.name !== text);
    if (isGone) this.#byInode.delete(inode);
  }

  renamed(from: FolderNode, name: Buffer, to: FolderNode, newName: Buffer, inode: bigint): void {
    this.removed(from, name, inode, false);
    const node = this.#byInode.get(inode);
    if (node) this.#name(node, to, newName.toString('latin1'));
  }

  forget(number: bigint, lookups: bigint): void {
    const node = this.#byNumber.get(number);
    if (!node || node === this.#root) return;
    node.lookups -= lookups;
    if (node.lookups > 0n) return;
    this.#byNumber.delete(number);
    if (node.kept !== undefined) fs.closeSync(node.kept);
    if (this.#byInode.get(node.inode) === node) this.#byInode.delete(node.inode);
  }

  /** What would be closed when the kernel forgets it. */
  keptDescriptors(): number[] {
    return [...this.#byNumber.values()].flatMap(({ kept }) => (kept === undefined ? [] : [kept]));
  }

  /** Undefined where it has no name any more. */
  pathOf(node: FolderNode): Buffer | undefined {
    const names: string[] = [];
    for (let at = node; at !== this.#root; ) {
      const known = at.names.at(-1);
      if (!known) return undefined;
      names.push(known.name);
      at = known.parent;
    }
    return Buffer.from([this.#rootPath, ...names.reverse()].join('/'), 'latin1');
  }

  childPath(parent: FolderNode, name: Buffer): Buffer | undefined {
    const path = this.pathOf(parent);
    return path && Buffer.concat([path, SLASH, name]);
  }

  #add(stat: BigIntStats): FolderNode {
    const node = nodeOf(this.#next, stat.ino, this.#lazyNumber(stat));
    this.#next += 1n;
    this.#byNumber.set(node.number, node);
    this.#byInode.set(stat.ino, node);
    return node;
  }

  #name(node: FolderNode, parent: FolderNode, name: string): void {
    const isKnown = node.names.some((known) => known.parent === parent && known.name === name);
    if (!isKnown) node.names.push({ parent, name });
  }
}

const SLASH = Buffer.from('/');

function nodeOf(number: bigint, inode: bigint, lazy: number | undefined): FolderNode {
  return { number, inode, names: [], lookups: 0n, lazy, unsyncedBytes: 0, descriptors: [] };
}
