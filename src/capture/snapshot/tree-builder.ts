/**
 * Makes trees out of entries that come in any order. A directory is stored as soon as everything in it is known and
 * its source has left it; then only its id is kept. Paths are latin1 strings, one character a byte.
 */
import type { FileKind, FileMetadata } from '#base';
import {
  type EntryText,
  encodeTree,
  encodeTreeInParts,
  type KnownNode,
  type KnownTree,
  type RepositoryWriter,
  type TreeNode,
  type WrittenNode,
  wholeText,
} from '#repository';
import { errors } from '../errors.ts';
import {
  addSealed,
  baseName,
  type Directory,
  isAsBefore,
  newDirectory,
  nodeOf,
  parentPath,
  pathIn,
  shown,
  type WholeDirectory,
} from './directory.ts';
import type { RecentTrees } from './recent-trees.ts';
import type { FoldersToRemember } from './remembered-folders.ts';

/** Larger trees aren't brought together in memory. */
const LARGE_TREE_BYTES = 32 * 1024 * 1024;

export type KnownEntry = { name: string; kind: FileKind; sizeBytes: number; node: KnownNode };

type TreeWriter = Pick<RepositoryWriter, 'saveTree' | 'saveLargeTree'>;

export type TreeTotals = { files: number; directories: number; bytes: number };

export class TreeBuilder {
  readonly #writer: TreeWriter;
  readonly #recent: Pick<RecentTrees, 'keep'>;
  readonly #remember: FoldersToRemember | undefined;
  readonly #root: Directory = newDirectory('', undefined);
  /** Directories that aren't sealed yet, by path. */
  readonly #open = new Map<string, Directory>([['', this.#root]]);
  /** Trees (hex ids) of directories that were sealed before the one above was taken apart, by path. */
  readonly #sealedBefore = new Map<string, string>();
  readonly #sealed = Promise.withResolvers<string>();
  readonly totals: TreeTotals = { files: 0, directories: 0, bytes: 0 };

  /** `recent` gets what is stored, `remember` what of it the next capture may know again. */
  constructor(writer: TreeWriter, recent: Pick<RecentTrees, 'keep'>, remember?: FoldersToRemember) {
    this.#writer = writer;
    this.#recent = recent;
    this.#remember = remember;
    // Whoever calls `finish` hears of it; before that nobody waits.
    this.#sealed.promise.catch(() => {});
  }

  /** A directory whose entries come now. `known`: what they are held against. */
  enter(path: string, known: KnownTree | undefined): Directory {
    const directory = this.#directory(path);
    directory.known = known;
    return directory;
  }

  /** A directory all of whose entries are as before; of the directories among them that isn't said yet. */
  enterWhole(path: string, whole: Omit<WholeDirectory, 'sealed'>): Directory {
    const directory = this.#directory(path);
    directory.whole = { ...whole, sealed: new Map() };
    return directory;
  }

  /** One that was entered as a whole and isn't left yet; undefined where there is none of this path. */
  wholeAt(path: string): WholeDirectory | undefined {
    return this.#open.get(path)?.whole;
  }

  /** Something below a whole directory is another: its entries come now, one by one. */
  takeApart(path: string, known: KnownTree | undefined): Directory {
    const directory = this.#directory(path);
    for (const [name, subtree] of directory.whole?.sealed ?? []) {
      this.#sealedBefore.set(pathIn(path, name), subtree);
    }
    directory.whole = undefined;
    directory.known = known;
    return directory;
  }

  /** Not all of what this path or the directory that it lies in holds was captured: the next one must look again. */
  dontRemember(path: string): void {
    for (const at of [path, parentPath(path)]) {
      const directory = this.#open.get(at);
      if (directory) directory.hasProblem = true;
    }
  }

  /** An entry that is the same as in `directory.known`; if it is a directory itself, perhaps not what is in it. */
  addKnown(directory: Directory, entry: KnownEntry): void {
    const { name, kind, sizeBytes, node } = entry;
    if (kind === 'dir') {
      this.totals.directories += 1;
      const below = this.#directory(pathIn(directory.path, name));
      below.asBefore = node;
      this.#closeIfSealed(below);
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
    this.addLater(directory, content, ({ ids, sizeBytes }) => {
      const written = wholeText(text, sizeBytes);
      const node = { name: Buffer.from(name, 'latin1'), text: written, content: ids };
      this.addSaved(directory, node, sizeBytes);
    });
  }

  /** A file whose content is stored. */
  addSaved(directory: Directory, node: TreeNode | WrittenNode, sizeBytes: number): void {
    this.totals.files += 1;
    this.totals.bytes += sizeBytes;
    directory.nodes.add(node);
  }

  /** A directory's own entry; may come before or after what is in it. */
  addDirectory(path: string, metadata: FileMetadata): void {
    this.totals.directories += 1;
    if (path === '') return;
    const directory = this.#directory(path);
    if (directory.node) throw errors.treeBroken([`a directory was given twice (${shown(path)})`]);
    directory.node = nodeOf(baseName(path), metadata);
    this.#closeIfSealed(directory);
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
    this.addLater(directory, content, ({ ids, sizeBytes }) => {
      node.content = ids;
      node.sizeBytes = BigInt(sizeBytes);
      directory.nodes.add(node);
      this.#count(node);
    });
  }

  /** `add` is called with what `content` gives when it is there; nothing is added where that is undefined. */
  addLater<T>(
    directory: Directory,
    content: Promise<T | undefined>,
    add: (content: T) => void,
  ): void {
    directory.same.interrupt();
    directory.awaited += 1;
    content
      .then((saved) => {
        directory.awaited -= 1;
        if (saved) add(saved);
        this.#sealIfDone(directory);
      })
      .catch((error) => this.#sealed.reject(error));
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
    const { whole } = directory;
    let subtree: string;
    if (whole) subtree = this.#takeWhole(whole);
    else if (isAsBefore(directory)) subtree = directory.known.id;
    else subtree = await this.#save(directory);
    const { remember, hasProblem } = directory;
    if (remember && !hasProblem) {
      this.#remember?.add(remember.fingerprint, { ...remember.holds, tree: subtree });
    }
    if (directory.parent) this.#close(directory.parent, directory, subtree);
    else this.#sealed.resolve(subtree);
  }

  #takeWhole({ before }: WholeDirectory): string {
    this.totals.files += before.files;
    this.totals.directories += before.folders;
    this.totals.bytes += before.bytes;
    return before.tree;
  }

  #closeIfSealed(directory: Directory): void {
    const { parent, path } = directory;
    const subtree = this.#sealedBefore.get(path);
    if (!parent || subtree === undefined) return;
    this.#sealedBefore.delete(path);
    this.#close(parent, directory, subtree);
  }

  #close(parent: Directory, directory: Directory, subtree: string): void {
    addSealed(parent, directory, subtree);
    parent.open.delete(directory.path);
    this.#open.delete(directory.path);
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
