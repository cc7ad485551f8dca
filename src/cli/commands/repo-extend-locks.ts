import type { CommandSpec } from '../command.ts';
import { REPOSITORY_EXITS, REPOSITORY_OPTIONS, withRepository } from '../repository/session.ts';

const NAMES_SHOWN = 20;

export const command: CommandSpec = {
  path: ['repo', 'extend-locks'],
  summary: 'lock what snapshots need past the next two runs of this command',
  options: [
    ...REPOSITORY_OPTIONS,
    ['--every <span>', 'how often this is run', '7d'],
    ['-n, --dry-run', 'show what it would do, and do nothing'],
  ],
  examples: ['holdfast repo extend-locks --repo s3:https://minio.example/backups/shop --every 7d'],
  exits: {
    ...REPOSITORY_EXITS,
    2: 'wrong usage, or a storage that locks nothing',
    6: 'an extension was missed, or something was overwritten or hidden (named)',
  },
  async run(_args, options, io) {
    const { extendLocks } = await import('#repository');
    const { formatCounted } = await import('#base');
    const { spanFrom } = await import('../frame/span.ts');
    const spanOf = { option: '--every', example: '7d', command: 'holdfast repo extend-locks' };
    const everyMs = spanFrom(options.every, spanOf);
    return await withRepository(options, async (repository) => {
      await repository.loadIndex();
      const result = await extendLocks(repository, {
        everyMs,
        dryRun: options.dryRun === true,
        signal: io.signal,
        progress: io.progress,
      });
      const show = (names: readonly string[], what: string) => {
        for (const name of names.slice(0, NAMES_SHOWN)) io.say(`✗ ${name}: ${what}`);
        const more = names.length - NAMES_SHOWN;
        if (more > 0) io.say(`  and ${formatCounted(more, 'more file')}`);
      };
      show(result.lapsed, 'was not locked any more: an extension was missed');
      show(
        result.changed,
        'was overwritten or hidden; `holdfast repo recover-versions` brings it back',
      );
      const verb = options.dryRun === true ? 'would be extended' : 'extended';
      const until = result.lockedUntilMs;
      const lasting =
        until === undefined ? '' : `, all locked until ${new Date(until).toISOString()}`;
      const ok = result.lapsed.length + result.changed.length === 0;
      io.say(
        `${ok ? '✓' : '✗'} ${formatCounted(result.files, 'file')} in use, ${result.extended} ${verb}${lasting}`,
      );
      io.result(result);
      return ok ? 0 : 6;
    });
  },
};
