import type { CommandSpec } from '../command.ts';
import { DIRECT_OPTIONS } from '../recovery/options.ts';

export const command: CommandSpec = {
  path: ['recover'],
  summary: 'bring the environment, or some of its stores, back as it was',
  options: [
    ['--to <when>', 'the instant: 10:42, "5m ago", latest, "before deploy 4f2c1e", an LSN'],
    ['--store <name...>', 'only these stores'],
    ['--in-place', "put it in production's place when its checks pass; what is replaced is kept"],
    ['--full', 'write all data out before anything starts, instead of as it is touched'],
    ['-n, --dry-run', 'show what it would do, and start nothing'],
    ['--accept <store...>', 'stores whose skew is over the limit and accepted'],
    ['--owner <user>', 'operating system user that runs and owns what is recovered'],
    ['--timeline <number>', 'follow this timeline instead of the newest'],
    ['-y, --yes', 'do not ask before production is replaced or written to'],
    ['--table <name...>', 'only these tables, into production: as new ones, or merged'],
    ['--where <sql>', 'of the one table only the rows that this held for, then'],
    ['--as <name>', 'name of the new table, or of the one to merge into; place of a file'],
    ['--merge', 'insert rows that production lacks, by key; nothing is ever deleted'],
    ['--update', 'with --merge: rows that differ become what they were, too'],
    ['--no-undo', 'with --merge: keep nothing to take it back with'],
    ['--database <name>', "the tables' database, where the store's address names another"],
    ['--production-url-file <file>', 'file with the address of a role that may write there'],
    ['--path <path>', "only this file or folder, below the store's, into production"],
    ['--prefix <folder>', 'the same, for a folder'],
    ['--overwrite', 'with --path: replace files that are there; what is replaced is kept'],
    ...DIRECT_OPTIONS,
  ],
  examples: [
    'holdfast recover --to "before deploy 4f2c1e"',
    'holdfast recover --to "5m ago" --store orders --dry-run',
    'holdfast recover --to 10:42 --store orders --table customers --where "id < 100"',
    'holdfast recover --to 10:42 --store orders --table customers --merge --update',
    'holdfast recover --to "1d ago" --store uploads --path invoices/2026 --dry-run',
    'holdfast recover --to latest --repo /srv/backup --password-file /run/secrets/holdfast',
  ],
  exits: {
    1: 'it failed; what it made is listed by `recovery list`',
    2: 'wrong usage, an instant in the future, or an invalid holdfast.yaml',
    3: 'recovered, but some files are not as they were (named)',
    4: 'refused: skew not accepted, wrong password, no terminal to ask',
    5: 'the instant, mark, store or repository does not exist',
    6: 'recovered, but a check failed or could not be made',
  },
  async run(_args, options, io) {
    const path = options.path ?? options.prefix;
    if (options.table !== undefined) {
      const { takeTables } = await import('../recovery/take-tables.ts');
      return await takeTables(options, io);
    }
    if (typeof path === 'string') {
      const { takeFiles } = await import('../recovery/take-files.ts');
      return await takeFiles(path, options, io);
    }
    const { recover } = await import('../recovery/recover.ts');
    return await recover(options, io);
  },
};
