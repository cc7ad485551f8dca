import type { CommandSpec } from '../command.ts';
import { DRY_RUN_OPTION, showIndexRepair } from '../repository/repairs.ts';
import {
  listOf,
  REPOSITORY_EXITS,
  REPOSITORY_OPTIONS,
  withRepository,
} from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'repair', 'packs'],
  summary: 'mend damaged packs, or save what is whole in them and drop the rest (named)',
  arguments: [['[ids...]', 'of packs, or beginnings of them; without any, every pack is read']],
  options: [...REPOSITORY_OPTIONS, DRY_RUN_OPTION],
  examples: [
    'holdfast repo repair packs --repo /srv/backup --dry-run',
    'holdfast repo repair packs 4f14b1b6 --repo /srv/backup',
  ],
  exits: {
    ...REPOSITORY_EXITS,
    3: 'done, but blobs are lost (named): `holdfast repo repair snapshots`',
    5: 'no such repository or pack',
  },
  async run([ids], options, io) {
    const { repairPacks } = await import('#repository');
    const { formatCounted } = await import('#base');
    return await withRepository(options, async (repository) => {
      const repair = await repairPacks(repository, listOf(ids), {
        dryRun: options.dryRun === true,
        progress: io.progress,
        signal: io.signal,
      });
      const would = repair.dryRun ? 'would be ' : '';
      showIndexRepair(repair.index, io);
      for (const id of repair.mended)
        io.say(`· pack ${id.slice(0, 16)}… ${would}mended by its parity`);
      for (const { packId, saved, damaged } of repair.replaced) {
        const kept = formatCounted(saved, 'blob');
        io.say(`· pack ${packId.slice(0, 16)}… ${would}dropped: ${kept} saved, ${damaged} damaged`);
      }
      for (const { type, id } of repair.lost)
        io.say(`✗ ${type} blob ${id} ${repair.dryRun ? 'is' : 'was'} lost`);
      if (repair.lost.length > 0) {
        io.say('\n  which files that costs   holdfast repo repair snapshots --dry-run');
      } else io.say(`✓ ${formatCounted(repair.read, 'pack')} read, nothing lost`);
      io.result(repair);
      return repair.lost.length > 0 ? 3 : 0;
    });
  },
};
