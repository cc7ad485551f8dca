import type { CommandSpec } from '../command.ts';
import { REPOSITORY_EXITS, REPOSITORY_OPTIONS, withRepository } from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'unlock'],
  summary: 'remove the locks of programs that are gone; those of living ones stay',
  options: [
    ...REPOSITORY_OPTIONS,
    ['--all', 'also locks of programs that may still work: only when you know that none does'],
  ],
  examples: ['holdfast repo unlock --repo /srv/backup', 'holdfast repo unlock --all'],
  exits: REPOSITORY_EXITS,
  async run(_args, options, io) {
    const { formatCounted } = await import('#base');
    await withRepository(options, async (repository) => {
      const removed = await repository.locks.unlock(options.all === true);
      const stale = options.all === true ? 'lock' : 'stale lock';
      io.say(`${formatCounted(removed.length, stale)} removed${removed.length > 0 ? ':' : '.'}`);
      for (const { id, held } of removed) io.say(`  ${held ?? `${id.slice(0, 8)}, unreadable`}`);
      if (removed.some((lock) => !lock.stale)) {
        io.warn('! Not all of them were stale. What still works under one must be started again.');
      }
      io.result({ removed: removed.length, locks: removed });
    });
    return 0;
  },
};
