/** `repo hold` and `repo release`: the same command but for what it does. */
import type { CommandSpec } from '../command.ts';
import { REPOSITORY_EXITS, REPOSITORY_OPTIONS, withRepository } from './session.ts';

export function holdCommand(verb: 'hold' | 'release'): CommandSpec {
  const isHold = verb === 'hold';
  return {
    path: ['repo', verb],
    summary: isHold
      ? 'keep a snapshot whatever any policy says'
      : 'leave a held snapshot to the policies again',
    arguments: [['<snapshot>', 'beginning of its id, or latest']],
    options: [...REPOSITORY_OPTIONS, ['--because <reason>', 'why; it is kept with who and when']],
    examples: [`holdfast repo ${verb} 5c0ffee1 --because "case 4711" --repo /srv/backup`],
    exits: {
      ...REPOSITORY_EXITS,
      2: 'no reason was given, or wrong usage',
      5: isHold ? 'no such snapshot' : 'no such snapshot, or it is not held',
    },
    async run([snapshot], options, io) {
      const { holdSnapshot, releaseSnapshot } = await import('#repository');
      const change = isHold ? holdSnapshot : releaseSnapshot;
      await withRepository(options, async (repository) => {
        const hold = await change(repository, String(snapshot), String(options.because ?? ''));
        io.say(`✓ ${hold.snapshot.slice(0, 8)} ${isHold ? 'is held' : 'is not held any more'}`);
        io.result(hold);
      });
      return 0;
    },
  };
}
