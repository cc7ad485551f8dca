/** Where a command speaks: the terminal, a pipe, or a program that reads JSON. */
import type { WriteStream } from 'node:tty';
import { messageOf, systemClock, systemCode } from '#base';
import type { Io } from '../command.ts';
import { noProgressBar, progressBar } from './progress-bar.ts';

export type FrameIo = Io & {
  /** Takes the progress bar away and waits until everything that was said has left the process. */
  close(): Promise<void>;
};

export function createIo(json: boolean, signal: AbortSignal): FrameIo {
  const output = process.stdout as WriteStream;
  const errors = process.stderr as WriteStream;
  const bar =
    errors.isTTY === true && !json && process.env.TERM !== 'dumb'
      ? progressBar(
          (text) => errors.write(text),
          () => errors.columns || 80,
          systemClock,
        )
      : noProgressBar;
  return {
    json,
    terminal: output.isTTY === true,
    columns: Math.max(40, output.isTTY === true ? output.columns || 80 : 80),
    say(line = '') {
      bar.clear();
      if (!json) output.write(`${withoutControls(line)}\n`);
    },
    warn(line) {
      bar.clear();
      errors.write(`${withoutControls(line)}\n`);
    },
    result(value) {
      bar.clear();
      if (json) output.write(`${JSON.stringify(value, plainJson)}\n`);
    },
    write(bytes) {
      bar.clear();
      return new Promise((resolve, reject) => {
        output.write(bytes, (error) => (error ? reject(error) : resolve()));
      });
    },
    progress: bar.show,
    signal,
    async ask(question) {
      bar.clear();
      return json ? undefined : askOnTerminal(question, signal);
    },
    async close() {
      bar.clear();
      await Promise.all([drained(output), drained(errors)]);
    },
  };
}

/**
 * Names of hosts, tags, files and messages of servers come from outside: no byte of them may move a cursor or change a
 * terminal. Lines and tabs stay.
 */
function withoutControls(text: string): string {
  return text.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** JSON has no bigint: positions and sizes beyond 2^53 go out as strings of digits. */
function plainJson(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

async function askOnTerminal(question: string, signal: AbortSignal): Promise<string | undefined> {
  if (process.stdin.isTTY !== true) return undefined;
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // Readline takes Ctrl-C for itself on a terminal: give it back to the process.
  lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    return (await lines.question(question, { signal })).trim();
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    lines.close();
  }
}

function drained(stream: WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) resolve();
    else stream.write('', () => resolve());
  });
}

/**
 * A reader that went away (`| head`) is no error: what follows is swallowed, and the command is told to stop. Any
 * other failure of standard output is told on standard error.
 */
export function quietWhenReaderLeaves(stop: () => void): void {
  process.stdout.on('error', (error) => {
    if (systemCode(error) !== 'EPIPE') process.stderr.write(`✗ output: ${messageOf(error)}\n`);
    stop();
  });
  process.stderr.on('error', () => {
    // Nobody is left to be told.
  });
}
