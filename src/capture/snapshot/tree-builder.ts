/**
 * Makes trees out of entries that come in any order. A directory is stored as soon as everything in it is known and
 * its source has left it; then only its id is kept. Paths are latin1 strings, one character a byte.
 */
import { type FileKind, type FileMetadata, madeMetadata } from '#base';
import {
  type EntryText,
  encodeTree,
  encodeTreeInParts,
  type KnownNode,
  type KnownTree,
  type RepositoryWriter,
  type TreeNode,
  wholeText,
} from '#repository';
import { errors } from '../errors.ts';
import { FolderNodes } from './folder-nodes.ts';
import { KnownSpans } from './known-spans.ts';
import type { RecentTrees } from './recent-trees.ts';

export type Directory = {
  readonly path: string;
  parent: Directory | undefined;
  /** Its own node, which goes into the parent when it is sealed; undefined until its entry comes. */
  node: TreeNode | undefined;
  /** All but what is the same as before. */
  readonly nodes: FolderNodes;
  /** What it was before, where it is held against that, and what of it is the same. */
  known: KnownTree | undefined;
  readonly same: KnownSpans;
  /** What the folder above says of it, where that is the same but perhaps for its tree. */
  asBefore: KnownNode | undefined;
  open: Map<string, Directory>;
  /** Files in it whose content is on its way. */
  awaited: number;
  left: boolean;
  sealing: boolean;
};

/** Larger trees aren't brought together in memory. */
const LARGE_TREE_BYTES = 32 * 1024 * 1024;

export type KnownEntry = { name: string; kind: FileKind; sizeBytes: number; node: KnownNode };

type TreeWriter = Pick<RepositoryWriter, 'saveTree' | 'saveLargeTree'>;

export type TreeTotals = { files: number; directories: number; bytes: number };

export class TreeBuilder {
  readonly #writer: TreeWriter;
  readonly #recent: Pick<RecentTrees, 'keep'>;
  readonly #root: Directory = newDirectory('', undefined);
  /** Directories that aren't sealed yet, by path. */
  readonly #open = new Map<string, Directory>([['', this.#root]]);
  readonly #sealed = Promise.withResolvers<string>();
  readonly totals: TreeTotals = { files: 0, directories: 0, bytes: 0 };

  /** `recent` gets what is stored. */
  constructor(writer: TreeWriter, recent: Pick<RecentTrees, 'keep'>) {
    this.#writer = writer;
    this.#recent = recent;
    // Whoever calls `finish` hears of it; before that nobody waits.
    this.#sealed.promise.catch(() => {});
  }

  /** A directory whose entries come now. `known`: what they are held against. */
  enter(path: string, known: KnownTree | undefined): Directory {
    const directory = this.#directory(path);
    directory.known = known;
    return directory;
  }

  /** An entry that is the same as in `directory.known`; if it is a directory itself, perhaps not what is in it. */
  addKnown(directory: Directory, entry: KnownEntry): void {
    const { name, kind, sizeBytes, node } = entry;
    if (kind === 'dir') {
      this.totals.directories += 1;
      this.#directory(pathIn(directory.path, name)).asBefore = node;
      return;
    }
    if (kind === 'file') {
      this.totals.files += 1;
      this.totals.bytes += sizeBytes;
    }
    directory.same.add(name, node);
  }

  /** A file by what a tree says of it; undefined content means that it has none. */
  addFile(
    directory: Directory,
    name: string,
    text: EntryText,
    content: Promise<{ ids: Buffer; sizeBytes: number } | undefined>,
  ): void {
    this.#await(directory, content, ({ ids, sizeBytes }) => {
      this.totals.files += 1;
      this.totals.bytes += sizeBytes;
      const written = wholeText(text, sizeBytes);
      directory.nodes.add({ name: Buffer.from(name, 'latin1'), text: written, content: ids });
    });
  }

  /** A directory's own entry; may come before or after what is in it. */
  addDirectory(path: string, metadata: FileMetadata): void {
    this.totals.directories += 1;
    if (path === '') return;
    const directory = this.#directory(path);
    if (directory.node) throw errors.treeBroken([`a directory was given twice (${shown(path)})`]);
    directory.node = nodeOf(baseName(path), metadata);
  }

  /** Anything but a directory. A file's content may still be on its way: undefined then means that it has none. */
  addEntry(
    path: string,
    metadata: FileMetadata,
    content?: Promise<{ ids: Buffer; sizeBytes: number } | undefined>,
  ): void {
    const directory = this.#directory(parentPath(path));
    const node = nodeOf(baseName(path), metadata);
    if (!content) {
      directory.same.interrupt();
      directory.nodes.add(node);
      this.#count(node);
      return;
    }
    this.#await(directory, content, ({ ids, sizeBytes }) => {
      node.content = ids;
      node.sizeBytes = BigInt(sizeBytes);
      directory.nodes.add(node);
      this.#count(node);
    });
  }

  #await<T>(
    directory: Directory,
    content: Promise<T | undefined>,
    add: (content: T) => void,
  ): void {
    directory.same.interrupt();
    directory.awaited += 1;
    content.then(
      (saved) => {
        directory.awaited -= 1;
        if (saved) add(saved);
        this.#sealIfDone(directory);
      },
      (error) => this.#sealed.reject(error),
    );
  }

  /** A node as it is, with its subtree. */
  addNode(path: string, node: TreeNode): void {
    const directory = this.#directory(parentPath(path));
    directory.same.interrupt();
    directory.nodes.add(node);
  }

  /** Everything below this directory was given. Unknown paths are no error: an empty directory may have been left out. */
  leave(path: string): void {
    const directory = this.#open.get(path);
    if (!directory || directory === this.#root) return;
    this.#leaveAll(directory);
  }

  /** Resolves to the root's id when all contents arrived and all trees are stored. Rejects with the first failure. */
  finish(): Promise<string> {
    this.#leaveAll(this.#root);
    return this.#sealed.promise;
  }

  #leaveAll(directory: Directory): void {
    for (const child of [...directory.open.values()]) this.#leaveAll(child);
    directory.left = true;
    this.#sealIfDone(directory);
  }

  #directory(path: string): Directory {
    const known = this.#open.get(path);
    if (known) return known;
    const parent = this.#directory(parentPath(path));
    const directory = newDirectory(path, parent);
    this.#open.set(path, directory);
    parent.open.set(path, directory);
    parent.same.interrupt();
    return directory;
  }

  #sealIfDone(directory: Directory): void {
    const { left, sealing, awaited, open } = directory;
    if (!left || sealing || awaited > 0 || open.size > 0) return;
    directory.sealing = true;
    this.#seal(directory).catch((error) => this.#sealed.reject(error));
  }

  async #seal(directory: Directory): Promise<void> {
    const { parent, path } = directory;
    const subtree = isAsBefore(directory) ? directory.known.id : await this.#save(directory);
    if (!parent) {
      this.#sealed.resolve(subtree);
      return;
    }
    addSealed(parent, directory, subtree);
    parent.open.delete(path);
    this.#open.delete(path);
    this.#sealIfDone(parent);
  }

  async #save(directory: Directory): Promise<string> {
    const { nodes, same, known } = directory;
    let bytes = nodes.runBytes;
    for (const span of known ? same.nodes(known.bytes) : []) {
      nodes.add(span);
      bytes += span.bytes.length;
    }
    if (bytes >= LARGE_TREE_BYTES) {
      return await this.#writer.saveLargeTree(encodeTreeInParts(nodes.take()));
    }
    const encoded = encodeTree(nodes.take());
    const subtree = await this.#writer.saveTree(encoded);
    this.#recent.keep(subtree, encoded);
    return subtree;
  }

  #count(node: TreeNode): void {
    if (node.kind === 'file') this.totals.files += 1;
    this.totals.bytes += Number(node.sizeBytes);
  }
}

/** Nothing was added, nothing is missing: the tree before is the tree now. */
function isAsBefore(directory: Directory): directory is Directory & { known: KnownTree } {
  return directory.known?.isWhole === true && directory.nodes.isEmpty;
}

/** A directory that is complete, into the one above. */
function addSealed(parent: Directory, directory: Directory, subtree: string): void {
  const { node, asBefore, path } = directory;
  const name = baseName(path);
  if (asBefore?.subtree === subtree) parent.same.addAlone(name, asBefore);
  else if (asBefore?.subtreeAt !== undefined && parent.known) {
    const { start, subtreeAt } = asBefore;
    const before = parent.known.bytes.toString('latin1', start, subtreeAt);
    parent.nodes.add({ name: Buffer.from(name, 'latin1'), text: `${before}${subtree}"}` });
  } else parent.nodes.add({ ...(node ?? nodeOf(name, PLAIN_DIRECTORY)), subtree });
}

function newDirectory(path: string, parent: Directory | undefined): Directory {
  return {
    path,
    parent,
    node: undefined,
    nodes: new FolderNodes(),
    known: undefined,
    same: new KnownSpans(),
    asBefore: undefined,
    open: new Map(),
    awaited: 0,
    left: false,
    sealing: false,
  };
}

/** For directories that a source's paths pass through without an entry of their own. */
const PLAIN_DIRECTORY = madeMetadata('dir', 0o700, 0n);

/** The access time isn't kept, as in restic: reading would make every tree a new one. */
function nodeOf(name: string, metadata: FileMetadata): TreeNode {
  return { ...metadata, name: Buffer.from(name, 'latin1'), atimeNs: metadata.mtimeNs };
}

/** The path of an entry of this name in the directory of that path. */
export function pathIn(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

export function parentPath(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** A path for people: bytes that aren't UTF-8 are replaced. */
export function shown(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}
