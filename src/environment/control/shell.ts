/** One command line of the file, run by sh: bounded in time and in what is kept of its output. */
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { formatDuration, messageOf } from '#base';
import { lastLinesOf } from '../runtimes/last-lines.ts';

export type ShellRequest = {
  line: string;
  cwd: string;
  variables: Readonly<Record<string, string | undefined>>;
  timeoutMs: number;
  signal?: AbortSignal;
  /** Texts that the tail may not show. */
  secrets?: readonly string[];
  /** End what it left running: true for a check, false for a command that starts something. */
  endsWhatItLeaves: boolean;
};

export type ShellResult = {
  how: 'exited' | 'killed' | 'timed-out' | 'not-started';
  /** Of `exited`. */
  code: number | undefined;
  /** For a message: `ended with exit 3`. */
  what: string;
  /** End of its output, begun by `:` and a new line; '' where it said nothing. */
  tail: string;
};

/** Rejects only when the signal aborts; everything else is a result. */
export async function runShell(request: ShellRequest): Promise<ShellResult> {
  request.signal?.throwIfAborted();
  // A file and not a pipe: what the line starts may go on writing after we no longer read.
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-shell-'));
  const output = await fs.open(path.join(folder, 'output'), 'wx+', 0o600);
  try {
    await fs.rm(folder, { recursive: true });
    const ended = await untilEnded(request, output.fd);
    const tail = ended.how === 'exited' && ended.code === 0 ? '' : await tailOf(output, request);
    return { ...ended, tail };
  } finally {
    await output.close();
  }
}

function tailOf(output: fs.FileHandle, request: ShellRequest): Promise<string> {
  return lastLinesOf(output, request.secrets ?? []);
}

function untilEnded(
  request: ShellRequest,
  outputDescriptor: number,
): Promise<Omit<ShellResult, 'tail'>> {
  return new Promise((resolve, reject) => {
    // A group of its own: Ctrl-C at our terminal must not end the production that was just started.
    const child = spawn('/bin/sh', ['-c', request.line], {
      cwd: request.cwd,
      env: { ...request.variables },
      detached: true,
      stdio: ['ignore', outputDescriptor, outputDescriptor],
    });
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      endGroup(child.pid);
    }, request.timeoutMs);
    const onAbort = () => endGroup(child.pid);
    request.signal?.addEventListener('abort', onAbort, { once: true });
    const settle = (act: () => void) => {
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', onAbort);
      if (request.endsWhatItLeaves || isLate) endGroup(child.pid);
      act();
    };
    child.once('error', (error) =>
      settle(() =>
        resolve({
          how: 'not-started',
          code: undefined,
          what: `could not be run in ${request.cwd}: ${messageOf(error)}`,
        }),
      ),
    );
    child.once('exit', (code, signal) =>
      settle(() => {
        if (request.signal?.aborted) reject(request.signal.reason);
        else if (isLate) {
          const what = `did not end within ${formatDuration(request.timeoutMs)}`;
          resolve({ how: 'timed-out', code: undefined, what });
        } else if (code === null) {
          resolve({ how: 'killed', code: undefined, what: `was ended by ${signal}` });
        } else resolve({ how: 'exited', code, what: `ended with exit ${code}` });
      }),
    );
  });
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing of the group is left.
  }
}
