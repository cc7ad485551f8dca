/** `recovery promote`, `undo` and `remove`: the same but for their words. */
import type { CommandSpec } from '../command.ts';
import { DIRECT_OPTIONS } from './options.ts';

export type Change = {
  change: 'promote' | 'undo' | 'remove';
  summary: string;
  question: string;
  done: string;
};

export const changeCommand = ({ change, summary, question, done }: Change): CommandSpec => ({
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
    const { changeDirectly, findRecovery } = await import('./direct.ts');
    const { recoveryReport } = await import('./report.ts');
    await findRecovery(options, String(id));
    if (options.yes !== true) {
      const answer = await io.ask(question);
      if (answer === undefined) throw errors.needsTerminal([question, '--yes']);
      if (answer !== 'yes') throw errors.notAccepted(['everything stays as it is']);
    }
    const state = await changeDirectly(change, String(id), options, io);
    io.say(`${done} ${state.id}`);
    io.result({ ...recoveryReport(state), ...(change === 'remove' ? { status: 'removed' } : {}) });
    return 0;
  },
});
