import path from 'node:path';
import type { CommandSpec } from '../command.ts';
import { failureOf } from '../frame/failure.ts';
import { REPOSITORY_EXITS, REPOSITORY_OPTIONS, withRepository } from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'mount'],
  summary: 'show all snapshots as read-only folders, until interrupted or unmounted',
  arguments: [['<folder>', 'where to; an empty folder']],
  options: [
    ...REPOSITORY_OPTIONS,
    ['--allow-other', "let other users look, too, as far as the files' permissions let them"],
  ],
  examples: [
    'holdfast repo mount /mnt/backup --repo /srv/backup',
    'holdfast repo mount /mnt/backup --allow-other',
  ],
  exits: { ...REPOSITORY_EXITS, 0: 'unmounted', 130: 'interrupted, and unmounted' },
  async run([folder], options, io) {
    const { mountSnapshots } = await import('#recovery');
    return await withRepository(options, async (repository) => {
      const told = new Set<string>();
      const session = await mountSnapshots(repository, {
        folder: path.resolve(String(folder)),
        allowOthers: options.allowOther === true,
        onFailure: (error) => {
          const { message } = failureOf(error);
          if (!told.has(message)) io.warn(`! ${message}`);
          told.add(message);
        },
      });
      io.say(`Mounted at ${session.folder}: ids, snapshots, hosts, tags. Ctrl-C unmounts.`);
      io.result({ mounted: session.folder });
      const end = () => void session.end();
      io.signal.addEventListener('abort', end);
      if (io.signal.aborted) end();
      await session.ended;
      return io.signal.aborted ? 130 : 0;
    });
  },
};
