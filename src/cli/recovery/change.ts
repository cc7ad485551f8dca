/** `recovery promote`, `undo` and `remove`: the same but for their words. */
import type { CommandSpec } from '../command.ts';
import type { Change } from './access.ts';
import { DIRECT_OPTIONS } from './options.ts';
import { withoutPasswords } from './report.ts';

export type ChangeWords = {
  change: Extract<Change, 'promote' | 'undo' | 'remove'>;
  summary: string;
  question: string;
  done: string;
};

export const changeCommand = ({ change, summary, question, done }: ChangeWords): CommandSpec => ({
  path: ['recovery', change],
  summary,
  arguments: [['<id>', 'of the recovery']],
  options: [...DIRECT_OPTIONS, ['-y, --yes', 'do not ask']],
  examples: [`holdfast recovery ${change} r19kq`],
  exits: {
    1: 'a step failed; the same command goes on from there',
    2: 'the recovery is not in a state for this',
    4: 'refused, or not agreed to',
    5: 'no such recovery',
  },
  async run([id], options, io) {
    const { errors } = await import('../errors.ts');
    const { withRecoveryAccess } = await import('./open-access.ts');
    await withRecoveryAccess(options, io, async (access) => {
      await access.find(String(id));
      if (options.yes !== true) {
        const answer = await io.ask(question);
        if (answer === undefined) throw errors.needsTerminal([question.trim(), '--yes']);
        if (answer !== 'yes') throw errors.notAccepted(['everything stays as it is']);
      }
      const recovery = await access.change(change, String(id));
      io.say(`${done} ${recovery.id}`);
      io.result(withoutPasswords(recovery));
    });
    return 0;
  },
});
