import type { CommandSpec } from '../command.ts';
import { DIRECT_OPTIONS } from '../recovery/options.ts';

export const command: CommandSpec = {
  path: ['prove'],
  summary: 'bring an instant up in isolation, check it, and take it away again',
  arguments: [['[when]', 'the instant as for recover --to; by default the newest recovery point']],
  options: [
    ['--full', 'write all data out before anything starts, instead of as it is touched'],
    ['--owner <user>', 'operating system user that runs and owns what is brought up'],
    ...DIRECT_OPTIONS,
  ],
  examples: [
    'holdfast prove',
    'holdfast prove "before deploy 4f2c1e"',
    'holdfast prove latest --repo /srv/backup --password-file /run/secrets/holdfast',
  ],
  exits: {
    0: 'proven: it came up, and everything that was looked at is right',
    1: 'it could not be tried',
    2: 'wrong usage, an instant in the future, or an invalid holdfast.yaml',
    4: 'refused: wrong password',
    5: 'the instant, mark or repository does not exist',
    6: 'not proven: what failed, or could not be seen, is said',
  },
  async run([when], options, io) {
    const { prove } = await import('../recovery/prove.ts');
    return await prove(when, options, io);
  },
};
