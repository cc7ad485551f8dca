/** What a restore is asked for and what it answers. */
import type { ProgressListener } from '#base';
import type { Repository, RootMetadata, TreeNode } from '#repository';

export type RestoreRequest = {
  repository: Pick<Repository, 'index' | 'readBlobs' | 'placeBlobs'>;
  /** Hex id of a snapshot's tree, or of any directory in it. */
  tree: string;
  /** Path below that tree, `/`-separated: this directory (its content goes into the target), or this one entry. */
  subpath?: string | Buffer;
  /** What is known of the restored folder itself (`CaptureRecord.root`), where `tree` is its content: no tree tells. */
  root?: RootMetadata;
  /** Absolute. Made where it is absent. */
  target: string;
  /** Patterns in the syntax of .gitignore, relative to what is restored: only these, with the folders above them. */
  include?: readonly string[];
  /** Left out; goes before `include`. */
  exclude?: readonly string[];
  /**
   * What to do with what is in the target already. `refuse` (default): the target must be empty. `replace`: entries of
   * the same name are replaced, others stay. `update`: the same, but of files only what differs is written; after an
   * interrupt the same call again finishes it. `skip`: entries of the same name stay as they are. In no case is a symlink
   * in the target followed, or (without `removeOthers`) a folder that isn't empty replaced by something else.
   */
  existing?: 'refuse' | 'replace' | 'update' | 'skip';
  /**
   * With `replace` and `update`: removes what the tree doesn't hold, so that the target becomes equal. What the patterns
   * leave out stays, also what is mounted there, and everything in a folder whose tree couldn't be read whole.
   */
  removeOthers?: boolean;
  /** Name of the user that everything is given to; undefined: the recorded owners (only root can). */
  owner?: string;
  /** How recorded owners are meant: `number` (default) or `name`, where this host knows it; by number where it doesn't. */
  ownerBy?: 'number' | 'name';
  /**
   * Also the flags of chattr(1), where root restores: what is immutable then stays so. With `replace` and `update` they
   * are taken off what is there first. Default: left out, for copies that will be changed and removed.
   */
  inodeFlags?: boolean;
  /** What has been read of trees before, which are asked for here first. Of no use with `removeOthers`. */
  knownTrees?: KnownTrees;
  /** For progress, where the caller knows it. */
  expectedBytes?: number;
  progress?: ProgressListener;
  signal?: AbortSignal;
};

/** Trees by their hex ids, decoded. Nodes must not be changed. */
export interface KnownTrees {
  get(tree: string): readonly TreeNode[] | undefined;
  /** For one that is being read: told of each node, and of the end where it was read whole. */
  taking(tree: string): { take(node: TreeNode): void; end(): void };
}

export type RestoreProblem = {
  /** Relative to what was restored; '' is its root. Bytes that aren't UTF-8 are shown as `\xff`. */
  path: string;
  what: string;
};

export type RestoreResult = {
  /** Regular files with their content, and their plain bytes (holes included). */
  files: number;
  bytes: number;
  /** Of these, what was written: without holes, and in files brought up to date without what was there already. */
  writtenBytes: number;
  /** All entries: files, folders, links, FIFOs, devices. */
  entries: number;
  /** Entries that stayed as they were, under `skip`. */
  skipped: number;
  /** Entries that went, under `removeOthers`; a folder with all that was in it counts as one. */
  removed: number;
  /** What isn't as it was recorded: the first 1,000. Empty means that everything is exact but for the notes. */
  problems: RestoreProblem[];
  problemCount: number;
  /** What can't be restored by nature or without root, in one sentence for each kind. */
  notes: string[];
};
