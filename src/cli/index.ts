/**
 * The command line. A command is one file of `commands/` that describes itself (words, options, examples, exit codes)
 * and imports what it needs when it runs; `frame/` parses, runs one, and says in the same manner for all what failed.
 * `repo` and `recover --repo` work on a repository directly; what concerns a protected environment asks the control
 * plane over HTTP, with types generated from `openapi.json`. `main.ts` is the entry.
 */
export type { CommandSpec, ExitCode, Io } from './command.ts';
export { commands, groups } from './commands/all.ts';
export { runCommandLine } from './frame/run.ts';
