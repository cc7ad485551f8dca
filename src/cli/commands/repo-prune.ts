import type { CommandSpec } from '../command.ts';
import { REPOSITORY_EXITS, REPOSITORY_OPTIONS, withRepository } from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'prune'],
  summary: 'give back the space that no snapshot needs',
  options: [...REPOSITORY_OPTIONS, ['-n, --dry-run', 'show what it would do, and do nothing']],
  examples: ['holdfast repo prune --repo /srv/backup --dry-run'],
  exits: REPOSITORY_EXITS,
  async run(_args, options, io) {
    const { prune } = await import('#repository');
    const { formatCount, formatSize } = await import('#base');
    await withRepository(options, async (repository) => {
      const result = await prune(repository, {
        dryRun: options.dryRun === true,
        progress: io.progress,
        signal: io.signal,
      });
      const would = result.dryRun ? 'would be ' : '';
      io.say(
        `${formatSize(result.freedBytes)} ${would}freed, ${formatSize(result.repackedBytes)} ${would}moved`,
      );
      io.say(
        `${formatCount(result.packsRemoved)} packs ${would}removed, ${formatCount(result.packsKept)} kept; ${formatSize(result.usedBytes)} in use`,
      );
      io.result(result);
    });
    return 0;
  },
};
