import type { CommandSpec } from '../command.ts';
import { DRY_RUN_OPTION, showIndexRepair } from '../repository/repairs.ts';
import { REPOSITORY_EXITS, REPOSITORY_OPTIONS, withRepository } from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'repair', 'index'],
  summary:
    'make the indexes right again, from their copies and the headers of packs; loses nothing',
  options: [...REPOSITORY_OPTIONS, DRY_RUN_OPTION],
  examples: ['holdfast repo repair index --repo /srv/backup --dry-run'],
  exits: {
    ...REPOSITORY_EXITS,
    3: 'done, but for packs that are damaged (named): `holdfast repo repair packs`',
  },
  async run(_args, options, io) {
    const { repairIndex } = await import('#repository');
    return await withRepository(options, async (repository) => {
      const repair = await repairIndex(repository, {
        dryRun: options.dryRun === true,
        progress: io.progress,
        signal: io.signal,
      });
      showIndexRepair(repair, io);
      for (const id of repair.damaged) io.say(`✗ pack ${id}: its header can't be read`);
      if (repair.damaged.length > 0) io.say('\n  save what is whole   holdfast repo repair packs');
      io.result(repair);
      return repair.damaged.length > 0 ? 3 : 0;
    });
  },
};
