/**
 * Recovery: from a repository and its password to stores and services that run, at a chosen instant. It never asks the
 * catalog. `choose/` turns an instant into captures and positions, `restore/` writes trees to disk, `life/` makes a
 * recovery, lists it, puts it in production's place, takes it back and away.
 */
export * from './choose/choose.ts';
export { countDifferingFiles } from './choose/difference.ts';
export type * from './choose/request.ts';
export * from './dump/dump.ts';
export { errors as recoveryErrors } from './errors.ts';
export { CRASH_POINTS, type CrashPoint, type CrashPointName } from './life/crash-point.ts';
export { sweepPassingFolders } from './life/folder.ts';
export { goOnWithCut } from './life/go-on.ts';
export * from './life/hydration.ts';
export { type RemoveOptions, sweepPassingPlaces } from './life/passing-place.ts';
export * from './life/recover.ts';
export * from './life/resume.ts';
export { bindingsOf } from './life/services.ts';
export { settleRecovery, sourcesOf } from './life/settle.ts';
export * from './life/state.ts';
export * from './life/switch.ts';
export * from './mount/index.ts';
export * from './parts/index.ts';
export * from './proof/index.ts';
export type * from './request.ts';
export * from './restore/index.ts';
export type * from './site.ts';
export * from './window.ts';
