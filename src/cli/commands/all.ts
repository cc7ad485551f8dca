/** Every command, one line each. What a command needs is imported when it runs, never here. */
import type { CommandSpec } from '../command.ts';
import { completionOf } from './completion.ts';

export const commands: readonly CommandSpec[] = [
  // One line for each command, by its words.
  completionOf(() => commands),
];

/** What a group of commands is about. */
export const groups: Readonly<Record<string, string>> = {
  repo: 'work on a repository directly, without a server',
  recovery: 'look at, promote, undo or remove what was recovered',
};
