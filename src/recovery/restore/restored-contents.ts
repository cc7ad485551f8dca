/** What a restore hands contents over to: they go to disk, or are only laid out and read later. */
import type { ApplyOptions, MetadataFailure } from '#base';
import type { TreeNode } from '#repository';
import type { RestoreReport } from './report.ts';
import type { RestoreRequest } from './request.ts';
import type { TargetFolder } from './target-folder.ts';

export type ContentsOptions = Pick<RestoreRequest, 'repository' | 'signal' | 'inodeFlags'> & {
  report: RestoreReport;
  target: TargetFolder;
  owner: ApplyOptions['owner'];
  /** Gives a complete file its owner, permissions, attributes and times. */
  applyMetadata: (path: Buffer, node: TreeNode) => MetadataFailure[];
  /** A failure of one entry: told (returns) or so grave that everything must stop (throws). */
  entryFailed: (relative: string, error: unknown) => void;
  /** Called between pieces: lets others have their turn, tells progress, rejects when aborted. */
  giveWay: () => Promise<void> | undefined;
};

/** What becomes of the contents of files. */
export interface RestoredContents {
  /**
   * The file is made at the latest when `flush` resolves. `isUpdate`: an older one is there, to be brought up to date.
   * Returns nothing where the next one may be added at once.
   */
  add(relative: string, node: TreeNode, isUpdate?: boolean): Promise<void> | undefined;
  /** Resolves when every file added so far is complete. */
  flush(): Promise<void>;
  /** Resolves when nothing is under way or open any more. What wasn't complete stays as it is. */
  close(): Promise<void>;
}
