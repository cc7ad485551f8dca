/** Holdfast as the demo uses it: its command line and nothing else. */
import { spawn } from 'node:child_process';
import path from 'node:path';

const program = path.resolve(import.meta.dirname, '../../../bin/holdfast');
export const configuration = path.resolve(import.meta.dirname, '../holdfast.yaml');

export type Holdfast = {
  /** Runs a command with `--json`; the parsed objects it printed. Throws with what it said where the exit code isn't allowed. */
  run(words: readonly string[], allowed?: readonly number[]): Promise<Record<string, unknown>>;
  /** Runs a command as a person sees it: its text. */
  show(words: readonly string[], allowed?: readonly number[]): Promise<string>;
};

type Finished = { code: number; stdout: string; stderr: string };

function execute(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { env, stdio: ['ignore', 'pipe', 'pipe'], signal });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, stdout, stderr }));
  });
}

export function holdfastWith(env: Record<string, string>, signal: AbortSignal): Holdfast {
  const surroundings = { ...process.env, ...env };
  const run = async (words: readonly string[], allowed: readonly number[]) => {
    const finished = await execute(words, surroundings, signal);
    if (allowed.includes(finished.code)) return finished.stdout;
    const said = (finished.stderr || finished.stdout).trim();
    throw new Error(`holdfast ${words.join(' ')} ended with ${finished.code}:\n${said}`);
  };
  return {
    async run(words, allowed = [0]) {
      return JSON.parse(await run([...words, '--json'], allowed));
    },
    async show(words, allowed = [0]) {
      return (await run(words, allowed)).trimEnd();
    },
  };
}
