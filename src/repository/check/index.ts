/** Checking a repository: an entry of its own (`#repository/check`), for who needs little else. */
export { type CheckOptions, checkRepository } from './check.ts';
export { parseSelection, type ReadSelection } from './selection.ts';
