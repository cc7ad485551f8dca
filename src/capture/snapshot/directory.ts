/** A directory whose tree is being made: what is known of it until it is sealed. */
import { type EntryTable, type FileMetadata, madeMetadata } from '#base';
import type { KnownNode, KnownTree, TreeNode } from '#repository';
import { FolderNodes } from './folder-nodes.ts';
import { KnownSpans } from './known-spans.ts';
import type { RememberedFolder } from './remembered-folders.ts';

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
  /** Taken over without looking at what it was, as long as nothing below it is found to be another. */
  whole: WholeDirectory | undefined;
  /** Something in it couldn't be captured, or not as it was found. */
  hasProblem: boolean;
  /** What the next capture may know it by, unless it has a problem. */
  remember: { fingerprint: Buffer; holds: Omit<RememberedFolder, 'tree'> } | undefined;
  open: Map<string, Directory>;
  /** Files in it whose content is on its way. */
  awaited: number;
  left: boolean;
  sealing: boolean;
};

export type WholeDirectory = {
  before: RememberedFolder;
  parts: readonly EntryTable[];
  /** Names of the directories in it that are sealed already, with hex ids of their trees: as before. */
  sealed: Map<string, string>;
};

export function newDirectory(path: string, parent: Directory | undefined): Directory {
  return {
    path,
    parent,
    node: undefined,
    nodes: new FolderNodes(),
    known: undefined,
    same: new KnownSpans(),
    asBefore: undefined,
    whole: undefined,
    hasProblem: false,
    remember: undefined,
    open: new Map(),
    awaited: 0,
    left: false,
    sealing: false,
  };
}

/** Nothing was added, nothing is missing: the tree before is the tree now. */
export function isAsBefore(directory: Directory): directory is Directory & { known: KnownTree } {
  return directory.known?.isWhole === true && directory.nodes.isEmpty;
}

/** A directory that is complete, into the one above. */
export function addSealed(parent: Directory, directory: Directory, subtree: string): void {
  const { node, asBefore, path } = directory;
  const name = baseName(path);
  if (parent.whole) parent.whole.sealed.set(name, subtree);
  else if (asBefore?.subtree === subtree) parent.same.addAlone(name, asBefore);
  else if (asBefore?.subtreeAt !== undefined && parent.known) {
    const { start, subtreeAt } = asBefore;
    const before = parent.known.bytes.toString('latin1', start, subtreeAt);
    parent.nodes.add({ name: Buffer.from(name, 'latin1'), text: `${before}${subtree}"}` });
  } else parent.nodes.add({ ...(node ?? nodeOf(name, PLAIN_DIRECTORY)), subtree });
}

/** For directories that a source's paths pass through without an entry of their own. */
const PLAIN_DIRECTORY = madeMetadata('dir', 0o700, 0n);

/** The access time isn't kept, as in restic: reading would make every tree a new one. */
export function nodeOf(name: string, metadata: FileMetadata): TreeNode {
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
