/** What the repairs of a repository say. */
import type { IndexRepair } from '#repository';
import type { CommandSpec, Io } from '../command.ts';

export const DRY_RUN_OPTION: NonNullable<CommandSpec['options']>[number] = [
  '-n, --dry-run',
  'show what it would do, and change nothing',
];

export function showIndexRepair(repair: IndexRepair, io: Io): void {
  const would = repair.dryRun ? 'would be ' : '';
  const lines: [string[], string, string][] = [
    [repair.restored, 'index', `${would}written anew from its second copy`],
    [repair.unreadable, 'index', `can't be read: ${would}made anew from packs, and removed`],
    [repair.found, 'pack', `${would}told of by an index again`],
    [repair.missing, 'pack', `is not there: ${would}told of no more`],
  ];
  for (const [ids, what, became] of lines) {
    for (const id of ids) io.say(`· ${what} ${id.slice(0, 16)}… ${became}`);
  }
  if (lines.every(([ids]) => ids.length === 0)) io.say('✓ the indexes are right');
  else if (!repair.dryRun) io.say('✓ the indexes are right again');
}
