import { changeCommand } from '../recovery/change.ts';

export const command = changeCommand({
  change: 'remove',
  summary: 'end a recovery and delete its data (of a promoted one: what it replaced)',
  question: 'The data of this recovery is deleted. Go on? [yes/no] ',
  done: 'Removed',
});
