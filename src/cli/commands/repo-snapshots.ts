import type { Hold, Repository } from '#repository';
import type { CommandSpec } from '../command.ts';
import {
  listOf,
  REPOSITORY_EXITS,
  REPOSITORY_OPTIONS,
  withRepository,
} from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'snapshots'],
  summary: 'list the snapshots of a repository, newest last',
  options: [
    ...REPOSITORY_OPTIONS,
    ['--host <name...>', 'only of these hosts'],
    ['--tag <tags...>', 'only with these tags (a,b: both)'],
    ['--path <path...>', 'only of these paths'],
  ],
  examples: ['holdfast repo snapshots --repo /srv/backup --tag store:orders'],
  exits: { ...REPOSITORY_EXITS, 3: 'some snapshots are damaged (named)' },
  async run(_args, options, io) {
    const { tableLines } = await import('../frame/table.ts');
    const { formatCounted, messageOf } = await import('#base');
    const { loadHolds } = await import('#repository/unlock');
    const work = async (repository: Repository) => {
      let damaged = 0;
      const filter = {
        hosts: listOf(options.host),
        tags: listOf(options.tag).map((tags) => tags.split(',')),
        paths: listOf(options.path),
      };
      const snapshots = await repository.snapshots.list(filter, (id, error) => {
        damaged += 1;
        io.warn(`✗ ${id.slice(0, 8)} can't be read: ${error.message}`);
      });
      snapshots.reverse();
      const { describeHold, readHolds } = await loadHolds();
      const holds = await readHolds(repository).catch((error: unknown) => {
        damaged += 1;
        io.warn(`✗ holds can't be read: ${messageOf(error)}`);
        return new Map<string, Hold>();
      });
      const held = (id: string) => {
        const hold = holds.get(id);
        return hold && describeHold(hold);
      };
      const rows = snapshots.map((snapshot) => ({
        cells: [
          snapshot.id.slice(0, 8),
          new Date(snapshot.timeMs).toISOString().slice(0, 19).replace('T', ' '),
          snapshot.hostname,
          snapshot.tags.join(','),
          snapshot.paths.join(' '),
          ...(holds.size > 0 ? [held(snapshot.id) ?? ''] : []),
        ],
      }));
      const columns = [
        { title: 'ID' },
        { title: 'TIME (UTC)' },
        { title: 'HOST', shrinkTo: 8 },
        { title: 'TAGS', shrinkTo: 10 },
        { title: 'PATHS', shrinkTo: 12 },
        ...(holds.size > 0 ? [{ title: 'HOLD', shrinkTo: 20 }] : []),
      ];
      if (rows.length > 0) for (const line of tableLines(columns, rows, io.columns)) io.say(line);
      io.say(rows.length === 0 ? 'No snapshots.' : `\n${formatCounted(rows.length, 'snapshot')}.`);
      const shown = snapshots.map(({ others: _others, ...snapshot }) => {
        const hold = held(snapshot.id);
        return { ...snapshot, ...(hold !== undefined && { hold }) };
      });
      io.result({ snapshots: shown, damaged });
      return damaged > 0 ? 3 : 0;
    };
    return await withRepository(options, work, { load: loadHolds });
  },
};
