/**
 * A plain backup of files and folders on this host, without any environment: what `holdfast repo backup` does. An entry of
 * its own (`#capture/paths`), so that a walk can begin before all that a backup needs is loaded.
 */
import type { Repository } from '#repository';
import type { BackupPathsOptions, BackupResult } from './capture-paths.ts';

export { type BackupAhead, type LookAheadOptions, lookAhead } from './look-ahead.ts';
export type { BackupPathsOptions, BackupResult };

const load = () => import('./capture-paths.ts');

/**
 * Backs up the paths (relative ones from the current folder) as one snapshot, laid out as restic does it: every path
 * with all folders above it. What couldn't be read is in `problems`; the rest is stored. Throws
 * `capture/nothing-to-capture` where none of the paths could be looked up. Holds a shared lock.
 */
export async function backupPaths(
  repository: Repository,
  paths: readonly string[],
  options: BackupPathsOptions = {},
): Promise<BackupResult> {
  const { capturePaths } = await load();
  return await capturePaths(repository, paths, options);
}

/** Loads what `backupPaths` is going to need, while there is something else to wait for. */
export async function prepareBackup(): Promise<void> {
  await load();
}
