/** What a restore is asked for and what it answers. */
import type { ProgressListener } from '#base';
import type { Repository, RootMetadata } from '#repository';

export type RestoreRequest = {
  repository: Pick<Repository, 'index' | 'readBlobs'>;
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
   * the same name are replaced, others stay. `skip`: entries of the same name stay as they are. In no case is a symlink
   * in the target followed, or a folder that isn't empty replaced by something else.
   */
  existing?: 'refuse' | 'replace' | 'skip';
  /** Name of the user that everything is given to; undefined: the recorded owners (only root can). */
  owner?: string;
  /** For progress, where the caller knows it. */
  expectedBytes?: number;
  progress?: ProgressListener;
  signal?: AbortSignal;
};

export type RestoreProblem = {
  /** Relative to what was restored; '' is its root. Bytes that aren't UTF-8 are shown as `\xff`. */
  path: string;
  what: string;
};

export type RestoreResult = {
  /** Regular files with their content, and their plain bytes (holes included). */
  files: number;
  bytes: number;
  /** All entries: files, folders, links, FIFOs, devices. */
  entries: number;
  /** Entries that stayed as they were, under `skip`. */
  skipped: number;
  /** What isn't as it was recorded: the first 1,000. Empty means that everything is exact but for the notes. */
  problems: RestoreProblem[];
  problemCount: number;
  /** What can't be restored by nature or without root, in one sentence for each kind. */
  notes: string[];
};
