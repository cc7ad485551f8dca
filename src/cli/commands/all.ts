/** Every command, one line each. What a command needs is imported when it runs, never here. */
import type { CommandSpec } from '../command.ts';
import { completionOf } from './completion.ts';
import { command as repoInit } from './repo-init.ts';
import { command as repoLs } from './repo-ls.ts';
import { command as repoSnapshots } from './repo-snapshots.ts';

export const commands: readonly CommandSpec[] = [
  // One line for each command, by its words.
  repoInit,
  repoLs,
  repoSnapshots,
  completionOf(() => commands),
];

/** What a group of commands is about. */
export const groups: Readonly<Record<string, string>> = {
  repo: 'work on a repository directly, without a server',
  recovery: 'look at, promote, undo or remove what was recovered',
};
