import { changeCommand } from '../recovery/change.ts';

export const command = changeCommand({
  change: 'promote',
  summary: "put a recovery in production's place; what is replaced is kept",
  question: 'Production is stopped and its data replaced (kept aside). Go on? [yes/no] ',
  done: "In production's place. To take it back: holdfast recovery undo",
});
