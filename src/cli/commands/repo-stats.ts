import type { CommandSpec } from '../command.ts';
import { REPOSITORY_EXITS, REPOSITORY_OPTIONS, withRepository } from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'stats'],
  summary: 'what a repository holds and what it takes',
  options: REPOSITORY_OPTIONS,
  examples: ['holdfast repo stats --repo /srv/backup'],
  exits: REPOSITORY_EXITS,
  async run(_args, options, io) {
    const { repositoryStats } = await import('#repository');
    const { formatCount, formatSize } = await import('#base');
    await withRepository(options, async (repository) => {
      const stats = await repositoryStats(repository, { signal: io.signal });
      io.say(
        `snapshots   ${formatCount(stats.snapshots)}, restoring ${formatSize(stats.restoreBytes)} in ${formatCount(stats.restoreFiles)} files`,
      );
      io.say(
        `stored      ${formatSize(stats.storedBytes)} in ${formatCount(stats.packs)} packs (${stats.ratio.toFixed(1)} to 1)`,
      );
      io.say(
        `blobs       ${formatCount(stats.dataBlobs)} of data, ${formatCount(stats.treeBlobs)} of trees, ${formatSize(stats.plainBytes)} plain`,
      );
      io.say(
        stats.cuttingStyle === 'rabin'
          ? 'cuts        as restic makes them: what its snapshots hold is shared'
          : 'cuts        by content, 32 KiB and up in databases and images',
      );
      io.say(`index       ${formatSize(stats.indexBytes)} of memory`);
      io.result(stats);
    });
    return 0;
  },
};
