import type { CommandSpec } from '../command.ts';
import { DIRECT_OPTIONS } from '../recovery/options.ts';

export const command: CommandSpec = {
  path: ['recovery', 'hydrate'],
  summary: 'bring all of a mounted recovery here while it is used, so that it stands on its own',
  arguments: [['[id]', 'of the recovery; needless where only one is mounted']],
  options: [
    [
      '--rate <size>',
      'bring at most so much in a second: 50MiB; by default what the declaration says',
    ],
    ['--pause', 'bring no more for now; what is touched still comes'],
    ['--resume', 'go on, at the rate of before'],
    ...DIRECT_OPTIONS,
  ],
  examples: [
    'holdfast recovery hydrate',
    'holdfast recovery hydrate r19kq --rate 20MiB',
    'holdfast recovery hydrate r19kq --pause',
  ],
  exits: {
    0: 'all of it is here and stands on plain folders; or it was paused',
    1: 'it could not all be brought here; the same command goes on',
    2: 'wrong usage, nothing of it is mounted, or there are several',
    3: 'all of it is here, but a folder stays mounted as long as a program has it open (named)',
    5: 'no such recovery',
    130: 'interrupted: it goes on in the background; the last step waits for the same command',
  },
  async run([id], options, io) {
    const { hydrate } = await import('../recovery/hydrate.ts');
    return await hydrate(id, options, io);
  },
};
