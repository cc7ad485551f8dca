import type { CommandSpec } from '../command.ts';
import { changeCommand } from '../recovery/change.ts';
import { isMerge, UNDO_OPTIONS } from '../recovery/parts-options.ts';

const whole = changeCommand({
  change: 'undo',
  summary: 'take a promotion back: production as it was before it; or a merge of rows',
  question: 'Production is stopped and put back to what was replaced. Go on? [yes/no] ',
  done: 'Taken back. Production runs on what was replaced:',
});

export const command: CommandSpec = {
  ...whole,
  arguments: [['<id>', 'of the recovery, or of the merge (m…)']],
  options: [...(whole.options ?? []), ...UNDO_OPTIONS],
  examples: [...whole.examples, 'holdfast recovery undo m4k2q9 --store orders'],
  exits: { ...whole.exits, 3: 'rows that were changed since the merge stay (counted)' },
  async run([id, ...others], options, io) {
    if (!isMerge(String(id))) return await whole.run([id, ...others], options, io);
    const { undoTables } = await import('../recovery/undo-tables.ts');
    return await undoTables(String(id), options, io);
  },
};
