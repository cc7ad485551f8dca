import type { SnapshotRepair } from '#repository';
import type { CommandSpec, Io } from '../command.ts';
import { DRY_RUN_OPTION } from '../repository/repairs.ts';
import { REPOSITORY_EXITS, REPOSITORY_OPTIONS, withRepository } from '../repository/session.ts';

function show(repair: SnapshotRepair, forget: boolean, io: Io): void {
  for (const id of repair.broughtBack) {
    io.say(`· snapshot ${id.slice(0, 8)} ${repair.dryRun ? 'would be ' : ''}brought back`);
  }
  for (const { original, id, cut } of repair.repaired) {
    const became = id === undefined ? 'would be written anew' : `is now ${id.slice(0, 8)}`;
    io.say(`· snapshot ${original.slice(0, 8)} ${became}, without:`);
    for (const { path, what } of cut) io.say(`    ${path}: ${what}`);
  }
  for (const { id, why } of repair.lost) io.say(`✗ snapshot ${id.slice(0, 8)} is lost: ${why}`);
  if (repair.repaired.length + repair.lost.length === 0) {
    io.say(`✓ ${repair.snapshots} snapshots need nothing that is lost`);
  } else if (!forget) {
    io.say('\nThe damaged snapshots are still there, and checks go on naming them.');
    io.say('  remove them   holdfast repo repair snapshots --forget');
  }
}

export const command: CommandSpec = {
  path: ['repo', 'repair', 'snapshots'],
  summary:
    'write snapshots that need lost data anew without it, naming each file that is lost or cut',
  options: [
    ...REPOSITORY_OPTIONS,
    DRY_RUN_OPTION,
    ['--forget', 'remove the damaged snapshots once the new ones are stored'],
    ['--bring-back', 'bring back snapshots that are gone though their second copies are there'],
  ],
  examples: [
    'holdfast repo repair snapshots --repo /srv/backup --dry-run',
    'holdfast repo repair snapshots --repo /srv/backup --forget',
  ],
  exits: { ...REPOSITORY_EXITS, 3: 'done, but for files or snapshots that are lost (named)' },
  async run(_args, options, io) {
    const { repairSnapshots } = await import('#repository');
    return await withRepository(options, async (repository) => {
      const forget = options.forget === true;
      const repair = await repairSnapshots(repository, {
        dryRun: options.dryRun === true,
        forget,
        bringBack: options.bringBack === true,
        progress: io.progress,
        signal: io.signal,
      });
      show(repair, forget, io);
      io.result(repair);
      return repair.repaired.length + repair.lost.length > 0 ? 3 : 0;
    });
  },
};
