/**
 * The repository: a deduplicated, encrypted chunk store in restic's repository format, version 2, plus what is
 * Holdfast's own under `holdfast/`. It knows blobs, trees, snapshots, records and journals, and nothing of where data
 * comes from or goes to.
 */

export { isAllZero, partsToWrite } from './blobs/holes.ts';
export type { BlobPlacing, Placed } from './blobs/place-blobs.ts';
export { openPlaced } from './blobs/placed-files.ts';
export { canFinish, PIECE_NUMBERS, type PlacingPlan } from './blobs/placing-job.ts';
export { PlannedFiles } from './blobs/planned-files.ts';
export { Rooms } from './blobs/rooms.ts';
export type { Cache, CacheOptions } from './cache/cache.ts';
export { withRangeCache } from './cache/range-cache.ts';
export type { SealedNotes } from './cache/sealed-notes.ts';
export { type CheckOptions, checkRepository } from './check/check.ts';
export type * from './check/problems.ts';
export {
  type NextRotation,
  nextRotation,
  type RotationPeriod,
} from './check/rotation.ts';
export { parseSelection, type ReadSelection } from './check/selection.ts';
export type * from './config.ts';
export { type CopiesWritten, writeMissingCopies } from './copies/write-missing.ts';
export * from './copy/copy.ts';
export * from './crypto/compression.ts';
export * from './crypto/master-key.ts';
export * from './crypto/sealer.ts';
export * from './diff/diff.ts';
export * from './diff/totals.ts';
export * from './find/find.ts';
export * from './find/glob.ts';
export * from './forget/clock-check.ts';
export { type BrokenSet, brokenSets } from './forget/closed-sets.ts';
export * from './forget/forget.ts';
export * from './forget/holds.ts';
export * from './forget/keep-span.ts';
export { endLease, type Lease, leaseSnapshot, readLeases } from './forget/leases.ts';
export * from './forget/policy.ts';
export * from './immutability/bucket-policies.ts';
export * from './immutability/estimate-cost.ts';
export * from './immutability/extend-locks.ts';
export * from './immutability/price-list.ts';
export * from './immutability/recover-versions.ts';
export * from './immutability/store-activity.ts';
export * from './index/blob-index.ts';
export * from './index/blob-table.ts';
export type * from './index/shared-table.ts';
export {
  type BatchSegment,
  batchFacts,
  type JournalBatch,
  type JournalHome,
  listBatches,
  type Standing,
} from './journal/batches.ts';
export type * from './journal/journal.ts';
export * from './journal/pieces.ts';
export * from './journal/reader.ts';
export { joinStretches, type Stretch, unbrokenEnd } from './journal/spans.ts';
export { openSpool, type Spool, type SpoolOptions } from './journal/spool.ts';
export type * from './keys/keys.ts';
export type * from './keys/scrypt.ts';
export type * from './locks/lock-file.ts';
export type * from './locks/locks.ts';
export * from './names.ts';
export * from './open.ts';
export * from './open-unlocked.ts';
export * from './pack/header.ts';
export type * from './pack/verify-pack.ts';
export type { MendedBy, PackMend, PackParity } from './parity/pack-parity.ts';
export type { ParitySetting } from './parity/parity-setting.ts';
export { removeParity } from './parity/remove-parity.ts';
export {
  type ParityStatus,
  type ParityWritten,
  parityStatus,
  writeMissingParity,
} from './parity/write-missing.ts';
export {
  type PhasedPruneOptions,
  type PhasedPruneResult,
  pruneInPhases,
} from './prune/phases.ts';
export { type PruneOptions, type PruneResult, prune } from './prune/prune.ts';
export * from './records/block-map.ts';
export * from './records/captures.ts';
export * from './records/journal-notes.ts';
export { madeOf } from './records/made-of.ts';
export * from './records/marks.ts';
export * from './records/mends.ts';
export type {
  CaptureEntry,
  NamedSpan,
} from './records/names.ts';
export { parseCaptureName, timeOfId } from './records/names.ts';
export * from './records/points.ts';
export * from './records/proofs.ts';
export type { RecordsHome, TimeSpan } from './records/record-files.ts';
export type * from './records/records.ts';
export { type IndexRepair, repairIndex } from './repair/repair-index.ts';
export type { RepairOptions } from './repair/repair-options.ts';
export { type PackRepair, repairPacks } from './repair/repair-packs.ts';
export {
  REPAIRED_TAG,
  repairSnapshots,
  type SnapshotRepair,
  type SnapshotRepairOptions,
} from './repair/repair-snapshots.ts';
export type * from './repository.ts';
export * from './rewrite/rewrite.ts';
export * from './sealed/sealed-files.ts';
export * from './snapshots/go-time.ts';
export * from './snapshots/snapshot-json.ts';
export * from './snapshots/snapshots.ts';
export * from './stats/stats.ts';
export * from './storage/all.ts';
export { storageOptionsOf } from './storage/option-words.ts';
export { readOnly } from './storage/read-only.ts';
export type { S3Options } from './storage/s3/options.ts';
export type * from './storage/storage.ts';
export type * from './storage/versions.ts';
export * from './survey/survey.ts';
export { decodeNodeAt, decodePlacedNodes, decodeTree } from './tree/decode-tree.ts';
export {
  encodeTree,
  encodeTreeInParts,
  type NodeSpan,
  nodeText,
  type WrittenNode,
} from './tree/encode-tree.ts';
export { type EntryText, entryText, wholeText } from './tree/entry-text.ts';
export { type KnownNode, KnownTree } from './tree/known-tree.ts';
export type * from './tree/node.ts';
export * from './walk/find-path.ts';
export * from './walk/tree-entries.ts';
export { openWriter, type WriterOptions } from './writer/open-writer.ts';
export { withWriter } from './writer/with-writer.ts';
export type * from './writer/writer.ts';
