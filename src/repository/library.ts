/**
 * The repository engine as a library: `import { openRepository } from 'holdfast/repository'`. It opens, makes and reads
 * repositories in restic's format 2, writes into them, and looks after them; nothing of the rest of Holdfast is loaded.
 *
 * A session of writing: `openWriter`, then `saveStream` or `saveFile` for contents and `saveTree` (of `encodeTree`) for
 * directories, from the leaves to the root; `finish`, and only then `repository.snapshots.save`. Reading: `loadIndex`
 * first, then `treeEntries`, `findPath`, `readBlob`, `readBlobs`. Whatever goes wrong is a `HoldfastError` with a stable
 * `code`, a `kind`, and `guidance` for a person. See examples/library/.
 */
export {
  type ErrorKind,
  type FileKind,
  type FileMetadata,
  HoldfastError,
  isHoldfastError,
  madeMetadata,
  type Progress,
  type ProgressListener,
  readMetadata,
  Secret,
} from '#base';
export { type CheckOptions, checkRepository } from './check/check.ts';
export type { AffectedFile, CheckProblem, CheckReport } from './check/problems.ts';
export type { RepositoryConfig } from './config.ts';
export { type CopyOptions, type CopyResult, copyRepository } from './copy/copy.ts';
export { type Difference, type DiffOptions, diffTrees } from './diff/diff.ts';
export { DiffCounter, type DiffTotals } from './diff/totals.ts';
export { type Finding, type FindOptions, type FindQuery, findEntries } from './find/find.ts';
export { compileGlob, type Glob, type GlobOptions } from './find/glob.ts';
export { type ForgetOptions, type ForgetResult, forget } from './forget/forget.ts';
export type { RetentionPolicy } from './forget/policy.ts';
export type { BlobIndex, BlobLocation } from './index/blob-index.ts';
export type { Keys } from './keys/keys.ts';
export type { LockKind } from './locks/lock-file.ts';
export type { LockOptions, RepositoryLock } from './locks/locks.ts';
export type { BlobType } from './names.ts';
export { createRepository, type OpenOptions, openRepository } from './open.ts';
export { type PruneOptions, type PruneResult, prune } from './prune/prune.ts';
export type { ReadBlobsOptions, Repository } from './repository.ts';
export { type RewriteOptions, type RewriteResult, rewriteSnapshots } from './rewrite/rewrite.ts';
export type { NewSnapshot, Snapshot } from './snapshots/snapshot-json.ts';
export type { SnapshotFilter, Snapshots } from './snapshots/snapshots.ts';
export { type RepositoryStats, repositoryStats } from './stats/stats.ts';
export { openStorage } from './storage/all.ts';
export { readOnly } from './storage/read-only.ts';
export type { Storage, StoredFile } from './storage/storage.ts';
export { type Survey, type SurveyOptions, surveyRepository } from './survey/survey.ts';
export { decodeTree } from './tree/decode-tree.ts';
export { encodeTree } from './tree/encode-tree.ts';
export type { TreeNode } from './tree/node.ts';
export { type FoundPath, findPath } from './walk/find-path.ts';
export { type TreeEntriesOptions, type TreeEntry, treeEntries } from './walk/tree-entries.ts';
export { openWriter, type WriterOptions } from './writer/open-writer.ts';
export type { Chunking, RepositoryWriter, SavedContent, WriterStats } from './writer/writer.ts';
