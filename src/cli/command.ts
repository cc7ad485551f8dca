/**
 * What a command is. Each lies in `commands/<noun>-<verb>.ts`, exports one `command`, and has one line in
 * `commands/all.ts`. The specification is cheap to import; what the command needs is imported inside `run`.
 */
import type { ProgressListener } from '#base';

export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 130;

/** Where a command speaks. Text goes to people, `result` to programs: only one of the two is shown. */
export type Io = {
  /** `--json` was given: text is swallowed, `result` printed. */
  json: boolean;
  /** Standard output is a terminal. */
  terminal: boolean;
  columns: number;
  /** One line for people on standard output; nothing under `--json`. */
  say(line?: string): void;
  /** One line for people on standard error: warnings and what goes on. */
  warn(line: string): void;
  /** One documented object (call once) or one object a line (call often); nothing without `--json`. */
  result(value: unknown): void;
  /**
   * Raw bytes on standard output, for commands whose outcome is a stream. Resolves when the next piece may come, and
   * the bytes may be used again. Rejects where nobody reads any more.
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Shows a bar with remaining time on a terminal, nothing in a pipe. */
  progress: ProgressListener;
  /** Aborted by the first Ctrl-C (SIGTERM, SIGHUP too); the second one ends the process at once. */
  signal: AbortSignal;
  /** Asks on the terminal; without one resolves to undefined. */
  ask(question: string): Promise<string | undefined>;
};

export type CommandSpec = {
  /** `['repo', 'backup']` is `holdfast repo backup`. */
  path: readonly string[];
  summary: string;
  /** Arguments in commander's syntax: `['<path...>']`. */
  arguments?: readonly (readonly [syntax: string, description: string])[];
  options?: readonly (readonly [flags: string, description: string, defaultValue?: string])[];
  /** Whole command lines, shown by `--help`. */
  examples: readonly string[];
  /** The exit codes that it may end with, and what each means here. */
  exits: Partial<Record<ExitCode, string>>;
  /** `args` in the order of `arguments`. Throwing a HoldfastError prints it and exits by its kind. */
  run(
    args: readonly unknown[],
    options: Record<string, unknown>,
    io: Io,
  ): Promise<ExitCode | undefined>;
};
