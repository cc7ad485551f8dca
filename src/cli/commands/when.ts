import type { CommandSpec } from '../command.ts';
import { PARTS_OPTIONS } from '../recovery/parts-options.ts';

export const command: CommandSpec = {
  path: ['when'],
  summary: 'find the last instant at which a condition held',
  options: [
    ['--sql <query>', 'answers true, or a row, as long as all was well'],
    [
      '--command <line>',
      'instead, of any store: a line for sh that exits with 0; it finds the copy in HOLDFAST_STORE_NAME, and is run by this command, never by a server',
    ],
    ['--store <name>', 'the store that is asked'],
    ['--database <name>', "where the store's address names another"],
    ['--from <when>', 'it held then; by default where the recovery window begins'],
    ['--to <when>', 'it holds no more; by default now'],
    ['--precision <duration>', 'how near is near enough (1s)'],
    ...PARTS_OPTIONS,
  ],
  examples: [
    'holdfast when --store orders --sql "select count(*) > 1000 from customers"',
    'holdfast when --sql "select 1 from customers where id = 42" --from "2h ago"',
    'holdfast when --store uploads --command \'test -e "$HOLDFAST_STORE_UPLOADS/index.html"\'',
  ],
  exits: {
    1: 'a copy could not be made or asked',
    2: 'wrong usage, or no such column or table',
    4: 'refused: wrong password',
    5: 'it holds still, or never did in that time; no such store or instant',
  },
  async run(_args, options, io) {
    const { lastHeld } = await import('../recovery/last-held.ts');
    return await lastHeld(options, io);
  },
};
