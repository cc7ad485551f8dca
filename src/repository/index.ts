/**
 * The repository: a deduplicated, encrypted chunk store in restic's repository format, version 2, plus what is
 * Holdfast's own under `holdfast/`. It knows blobs, trees, snapshots, records and journals, and nothing of where data
 * comes from or goes to.
 */
export type * from './journal/journal.ts';
export type * from './records/records.ts';
export type * from './storage/storage.ts';
export type * from './tree/node.ts';
export type * from './writer/writer.ts';
