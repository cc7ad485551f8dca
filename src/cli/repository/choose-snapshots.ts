/** The snapshots that a command is about: by id, or by host, tags and paths. */
import type { Repository, Snapshot, SnapshotFilter } from '#repository';
import type { CommandSpec } from '../command.ts';
import { listOf } from './session.ts';

export const SNAPSHOT_FILTER_OPTIONS: NonNullable<CommandSpec['options']> = [
  ['--host <name...>', 'only snapshots of these hosts'],
  ['--tag <tags...>', 'only snapshots with these tags (a,b: both)'],
  ['--path <path...>', 'only snapshots of these paths'],
];

export function snapshotFilter(options: Record<string, unknown>): SnapshotFilter {
  return {
    hosts: listOf(options.host),
    tags: listOf(options.tag).map((tags) => tags.split(',')),
    paths: listOf(options.path),
  };
}

/** Those named (ids, beginnings, `latest`), each once, in their order; where none is named all that fit, newest first. */
export async function chooseSnapshots(
  repository: Repository,
  names: readonly string[],
  options: Record<string, unknown>,
): Promise<Snapshot[]> {
  const filter = snapshotFilter(options);
  if (names.length === 0) return await repository.snapshots.list(filter);
  const chosen = new Map<string, Snapshot>();
  for (const name of names) {
    const snapshot = await repository.snapshots.find(name, filter);
    chosen.set(snapshot.id, snapshot);
  }
  return [...chosen.values()];
}
