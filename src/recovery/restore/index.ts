/** Restoring trees to disk. */
export type { RestoreProblem, RestoreRequest, RestoreResult } from './request.ts';
export { restoreTree } from './restore-tree.ts';
