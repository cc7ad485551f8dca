import { changeCommand } from '../recovery/change.ts';

export const command = changeCommand({
  change: 'undo',
  summary: 'take a promotion back: production as it was before it',
  question: 'Production is stopped and put back to what was replaced. Go on? [yes/no] ',
  done: 'Taken back. Production runs on what was replaced:',
});
