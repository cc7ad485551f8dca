/**
 * The repository: a deduplicated, encrypted chunk store in restic's repository format, version 2, plus what is
 * Holdfast's own under `holdfast/`. It knows blobs, trees, snapshots, records and journals, and nothing of where data
 * comes from or goes to.
 */
export * from './crypto/master-key.ts';
export * from './crypto/sealer.ts';
export type * from './index/blob-index.ts';
export type * from './journal/journal.ts';
export * from './names.ts';
export * from './open.ts';
export * from './pack/header.ts';
export type {
  CaptureEntry,
  NamedSpan,
} from './records/names.ts';
export { parseCaptureName, timeOfId } from './records/names.ts';
export type * from './records/records.ts';
export * from './records/store.ts';
export type * from './repository.ts';
export type * from './sealed/sealed-files.ts';
export type * from './snapshots/snapshots.ts';
export * from './storage/all.ts';
export type * from './storage/storage.ts';
export { decodeTree } from './tree/decode-tree.ts';
export { encodeTree } from './tree/encode-tree.ts';
export type * from './tree/node.ts';
export type * from './writer/writer.ts';
