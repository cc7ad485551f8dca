/** A command line of commands that do what the tests need to see. */
import { type ErrorKind, HoldfastError, sleepMs } from '#base';
import type { CommandSpec } from '../command.ts';
import { runCommandLine } from './run.ts';

const about = { summary: 'for tests', examples: [], exits: {} };

const commands: CommandSpec[] = [
  {
    ...about,
    path: ['throw'],
    arguments: [['<kind>', 'kind of error']],
    options: [['--kind <kind>', 'unused']],
    run([kind]) {
      if (kind === 'unexpected') throw new Error('boom');
      throw new HoldfastError(
        {
          code: 'test/it',
          kind: kind as ErrorKind,
          message: 'it went so',
          guidance: 'Do this.',
          retryable: false,
        },
        { where: 'holdfast.yaml:3:1' },
      );
    },
  },
  {
    ...about,
    path: ['repo', 'check'],
    run: async () => 0,
  },
  {
    ...about,
    path: ['repeat'],
    async run(_args, _options, io) {
      io.say('a\u001b[2J\u009bb\n\tc\r');
      return 0;
    },
  },
  {
    ...about,
    path: ['speak'],
    async run(_args, _options, io) {
      io.say('hello');
      io.result({ position: 9007199254740993n });
      return 0;
    },
  },
  {
    ...about,
    path: ['wait'],
    options: [['--stubborn', 'does not stop']],
    async run(_args, options, io) {
      io.say('waiting');
      try {
        await sleepMs(60_000, io.signal);
      } catch (error) {
        if (options.stubborn !== true) {
          io.say('cleaned up');
          throw error;
        }
        io.say('asked to stop');
        await sleepMs(60_000);
      }
      return 0;
    },
  },
  {
    ...about,
    path: ['endless'],
    async run(_args, _options, io) {
      while (!io.signal.aborted) {
        io.say('line');
        await sleepMs(1);
      }
      return 0;
    },
  },
];

process.exit(
  await runCommandLine({ commands, groups: {}, version: '0.0.0' }, process.argv.slice(2)),
);
