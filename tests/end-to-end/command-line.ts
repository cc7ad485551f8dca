/** The real command line as a user runs it, in a process of its own, and what every failure of it must look like. */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { expect } from 'vitest';

const checkout = path.resolve(import.meta.dirname, '../..');
const program = path.join(checkout, 'bin', 'holdfast');

/**
 * `sh -c` this with: checkout, an empty folder, uid, words. Another user may not be able to enter the checkout (below
 * /root): in a mount namespace of its own it lies where everybody can.
 */
const AS_USER = [
  'mount --bind "$0" "$1" && checkout=$1 && id=$2 && shift 2',
  'exec setpriv --reuid "$id" --regid "$id" --clear-groups "$checkout/bin/holdfast" "$@"',
].join(' && ');

export type Ended = { code: number | null; stdout: string; stderr: string };
export type Running = { child: ChildProcess; ended: Promise<Ended> };

export type RunOptions = {
  env?: Record<string, string | undefined>;
  /**
   * Runs as the user and group `uid`, without any other group; needs root. They find the checkout at `checkout`, an
   * empty folder that they can enter: it must stay for as long as anything lives that was started, or that loses its code.
   */
  asUser?: { uid: number; checkout: string };
};

/** `bin/holdfast` with these words. */
export function startHoldfast(words: readonly string[], options: RunOptions = {}): Running {
  const env = { ...process.env, ...options.env };
  const { asUser } = options;
  if (asUser === undefined) return running(spawn(program, words, { env }));
  const given = ['-m', 'sh', '-c', AS_USER, checkout, asUser.checkout, `${asUser.uid}`, ...words];
  return running(spawn('unshare', given, { env: { ...env, HOME: '/nonexistent' } }));
}

export function running(child: ChildProcess): Running {
  const ended = new Promise<Ended>((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ended };
}

/** It ended with this code; where not, all that it said is shown. */
export function expectCode(ended: { code: number | null }, code: number): void {
  const said = Object.values(ended).filter((value) => typeof value === 'string');
  expect(ended.code, said.join('\n')).toBe(code);
}

const MOST_LINES = 4;
const MOST_CHARACTERS = 300;

/**
 * The code, what was wrong (`says`, in the first line), and what to do about it (`advises`, in the indented lines below):
 * in a few short lines, without a stack.
 */
export function expectClearFailure(
  { code, stderr }: Ended,
  wanted: { code: number; says: RegExp; advises: RegExp },
): void {
  expect(stderr).toMatch(wanted.says);
  expect(code, stderr).toBe(wanted.code);
  const lines = stderr.trimEnd().split('\n');
  expect(lines.length, stderr).toBeLessThanOrEqual(MOST_LINES);
  for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(MOST_CHARACTERS);
  expect(lines[0]).toMatch(/^[✗!] /);
  expect(lines[0]).toMatch(wanted.says);
  const advice = lines.filter((line) => line.startsWith('  ')).join('\n');
  expect(advice, stderr).toMatch(wanted.advises);
  expect(advice).not.toContain('HOLDFAST_DEBUG');
  expect(stderr).not.toMatch(/^\s+at |node:internal|Error:|\bundefined\b/m);
}
