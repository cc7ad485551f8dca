import type { Repository } from '#repository';
import type { CommandSpec, Io } from '../command.ts';
import {
  passwordIn,
  REPOSITORY_EXITS,
  REPOSITORY_OPTIONS,
  withRepository,
} from '../repository/session.ts';

async function list(repository: Repository, io: Io): Promise<void> {
  const { tableLines } = await import('../frame/table.ts');
  const keys = await repository.keys.list();
  const rows = keys.map((key) => ({
    mark: key.current ? ('✓' as const) : (' ' as const),
    cells: [key.id.slice(0, 8), key.created.slice(0, 19), key.username, key.hostname],
  }));
  const columns = [
    { title: 'ID' },
    { title: 'MADE' },
    { title: 'BY', shrinkTo: 6 },
    { title: 'ON', shrinkTo: 6 },
  ];
  for (const line of tableLines(columns, rows, io.columns)) io.say(line);
  io.result({ keys });
}

export const command: CommandSpec = {
  path: ['repo', 'keys'],
  summary: 'list, add, remove or change the passwords of a repository',
  arguments: [
    ['[action]', 'list (default), add, remove or change'],
    ['[id]', 'of the key to remove'],
  ],
  options: [
    ...REPOSITORY_OPTIONS,
    ['--new-password-file <file>', 'file that holds the new password'],
  ],
  examples: [
    'holdfast repo keys --repo /srv/backup',
    'holdfast repo keys add --new-password-file /run/secrets/second',
    'holdfast repo keys remove 3fa9',
  ],
  exits: { ...REPOSITORY_EXITS, 5: 'no such repository or key' },
  async run([action = 'list', id], options, io) {
    const { errors } = await import('../errors.ts');
    const usage = (what: string) => errors.usage([what, 'holdfast repo keys']);
    const fresh = async () => {
      if (typeof options.newPasswordFile !== 'string')
        throw usage('--new-password-file holds the new password');
      return await passwordIn(options.newPasswordFile);
    };
    if (!['list', 'add', 'remove', 'change'].includes(String(action))) {
      throw usage(`"${String(action)}" is none of list, add, remove, change`);
    }
    if (action === 'remove' && typeof id !== 'string') throw usage('remove wants the id of a key');
    await withRepository(options, async (repository) => {
      if (action === 'list') return await list(repository, io);
      if (action === 'remove') {
        const removed = await repository.keys.remove(String(id));
        io.say(`Key ${removed.slice(0, 8)} removed: its password opens nothing any more.`);
        io.result({ removed });
        return;
      }
      const password = await fresh();
      const made =
        action === 'add'
          ? await repository.keys.add(password)
          : await repository.keys.change(password);
      io.say(
        `Key ${made.slice(0, 8)} ${action === 'add' ? 'added' : 'made; the former password opens nothing any more'}.`,
      );
      io.result({ added: made });
    });
    return 0;
  },
};
