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
    ['-y, --yes', 'do not ask before production is replaced'],
    ...DIRECT_OPTIONS,
  ],
  examples: [
    'holdfast recover --to "before deploy 4f2c1e"',
    'holdfast recover --to "5m ago" --store orders --dry-run',
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
    const { recover } = await import('../recovery/recover.ts');
    return await recover(options, io);
  },
};
