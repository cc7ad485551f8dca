/** Capture: moves a source into the repository as snapshots, and its journal as pieces and batches. */

export * from './backup-paths.ts';
export * from './backup-stream.ts';
export * from './capture-store.ts';
export type * from './crash-point.ts';
export { type ForgottenJournal, forgetJournal } from './journal/forget.ts';
export type { JournalShippingOptions, ShippingStatus } from './journal/options.ts';
export { JournalShipping, openJournalShipping } from './journal/shipping.ts';
export * from './points.ts';
export { removeUnrecorded } from './snapshot/tags.ts';
