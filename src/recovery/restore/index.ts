/** Restoring trees to disk: an entry of its own (`#recovery/restore`), which takes no source and no mount along. */
export type { RestoreProblem, RestoreRequest, RestoreResult } from './request.ts';
export { restoreTree } from './restore-tree.ts';
