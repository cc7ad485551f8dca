/**
 * What every layer stands on: errors, time and randomness, units, ids, durable files, progress, logs, the POSIX calls
 * that Node lacks. It imports no layer and knows no word of the product.
 */
export * from './clock.ts';
export * from './closest.ts';
export * from './durable-files.ts';
export * from './errors.ts';
export * from './existence.ts';
export * from './file-metadata.ts';
export * from './free-port.ts';
export * from './ids.ts';
export * from './log.ts';
export * from './memory.ts';
export * from './posix/accounts.ts';
export * from './posix/allocate.ts';
export * from './posix/beneath.ts';
export * from './posix/descriptor-passing.ts';
export * from './posix/entry-table.ts';
export * from './posix/file-lock.ts';
export * from './posix/inode-flags.ts';
export * from './posix/inotify.ts';
export * from './posix/metadata.ts';
export * from './posix/open-folder.ts';
export * from './posix/sparse.ts';
export * from './posix/special-files.ts';
export * from './posix/times.ts';
export * from './posix/xattrs.ts';
export * from './postgres-binaries.ts';
export {
  currentBootId,
  hasEnded,
  isSameProcess,
  type ProcessState,
  processIdentity,
  processStateOf,
  readProcessState,
} from './processes.ts';
export * from './progress.ts';
export * from './reading-check.ts';
export * from './secret.ts';
export * from './settle-all.ts';
export * from './units.ts';
export * from './whole-writes.ts';
