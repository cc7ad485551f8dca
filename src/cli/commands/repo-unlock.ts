import type { CommandSpec } from '../command.ts';
import { REPOSITORY_EXITS, REPOSITORY_OPTIONS, withRepository } from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'unlock'],
  summary: 'remove the locks of programs that are gone; those of living ones stay',
  options: REPOSITORY_OPTIONS,
  examples: ['holdfast repo unlock --repo /srv/backup'],
  exits: REPOSITORY_EXITS,
  async run(_args, options, io) {
    const { formatCounted } = await import('#base');
    await withRepository(options, async (repository) => {
      const removed = await repository.locks.unlock();
      io.say(`${formatCounted(removed, 'stale lock')} removed.`);
      io.result({ removed });
    });
    return 0;
  },
};
