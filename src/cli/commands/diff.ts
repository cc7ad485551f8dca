import type { CommandSpec } from '../command.ts';
import { PARTS_OPTIONS } from '../recovery/parts-options.ts';

export const command: CommandSpec = {
  path: ['diff'],
  summary: 'show what differs between two instants: rows of tables, files of folders',
  arguments: [
    ['<before>', 'the earlier instant: 10:42, "5m ago", "before deploy 4f2c1e"'],
    ['[after]', 'the later one; by default now'],
  ],
  options: [
    ['--store <name...>', 'only these stores'],
    ['--table <name...>', 'only these tables of the one store'],
    ['--database <name>', 'only this database; by default all of the server'],
    ['-a, --all', 'name also what is the same'],
    ...PARTS_OPTIONS,
  ],
  examples: [
    'holdfast diff "1h ago" now',
    'holdfast diff "before deploy 4f2c1e" latest --store orders --table customers',
  ],
  exits: {
    1: 'it could not be compared',
    2: 'wrong usage, an instant in the future, or the later one first',
    4: 'refused: wrong password',
    5: 'the instant, store, table or repository does not exist',
  },
  async run([before, after = 'latest'], options, io) {
    const { diff } = await import('../recovery/diff.ts');
    return await diff(String(before), String(after), options, io);
  },
};
