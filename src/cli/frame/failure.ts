/** What a person or a program sees of an error, and the exit code that says it to a script. */
import { type ErrorKind, HoldfastError, messageOf, systemCode } from '#base';
import type { ExitCode } from '../command.ts';

const EXIT_BY_KIND: Record<ErrorKind, ExitCode> = {
  failed: 1,
  invalid: 2,
  partial: 3,
  refused: 4,
  'not-found': 5,
  verdict: 6,
  interrupted: 130,
};

export type Failure = {
  code: string;
  kind: ErrorKind;
  message: string;
  guidance: string;
  where?: string;
  facts?: Record<string, unknown>;
};

/** What an error of the system means, in words: `no such file or folder`. */
export function systemReason(error: unknown): string {
  return SYSTEM_ERRORS[systemCode(error) ?? '']?.message ?? messageOf(error);
}

export function exitCodeOf(kind: ErrorKind): ExitCode {
  return EXIT_BY_KIND[kind];
}

/** What was wrong, where and what to do, of anything that was thrown. */
export function failureOf(error: unknown): Failure {
  if (error instanceof HoldfastError) {
    return {
      code: error.code,
      kind: error.kind,
      message: error.message,
      guidance: error.guidance,
      ...(error.where === undefined ? {} : { where: error.where }),
      ...(Object.keys(error.facts).length === 0 ? {} : { facts: error.facts }),
    };
  }
  return fromOutside(error);
}

/** Lines for people, on standard error. A stack only where HOLDFAST_DEBUG asks for it. */
export function failureLines(failure: Failure, error: unknown, debug: boolean): string[] {
  const mark = failure.kind === 'partial' || failure.kind === 'verdict' ? '!' : '✗';
  const where = failure.where === undefined ? '' : `${failure.where}: `;
  const lines = [`${mark} ${where}${failure.message}`];
  for (const line of failure.guidance.split('\n')) if (line !== '') lines.push(`  ${line}`);
  if (debug) lines.push(...stackOf(error));
  return lines;
}

function fromOutside(error: unknown): Failure {
  const system = systemCode(error);
  const path = (error as { path?: unknown } | null)?.path;
  const where = typeof path === 'string' ? { where: path } : {};
  const known = system === undefined ? undefined : SYSTEM_ERRORS[system];
  if (known) return { code: `system/${system}`, ...known, ...where };
  return {
    code: system === undefined ? 'cli/unexpected' : `system/${system}`,
    kind: 'failed',
    message: messageOf(error) || 'something failed without saying why',
    guidance: 'HOLDFAST_DEBUG=1 shows where it came from.',
    ...where,
  };
}

const SYSTEM_ERRORS: Record<string, Pick<Failure, 'kind' | 'message' | 'guidance'>> = {
  ENOENT: { kind: 'not-found', message: 'no such file or folder', guidance: 'Check the path.' },
  EACCES: {
    kind: 'refused',
    message: 'permission denied',
    guidance: 'Run as a user who may, or change the permissions.',
  },
  EPERM: {
    kind: 'refused',
    message: 'operation not permitted',
    guidance: 'Run as a user who may, or change the permissions.',
  },
  ENOSPC: {
    kind: 'failed',
    message: 'no space left on the device',
    guidance: 'Make room, then run the same command again.',
  },
  EDQUOT: {
    kind: 'failed',
    message: 'the disk quota is used up',
    guidance: 'Make room, then run the same command again.',
  },
  EROFS: {
    kind: 'refused',
    message: 'the file system is read-only',
    guidance: 'Choose another folder.',
  },
};

function stackOf(error: unknown): string[] {
  const lines: string[] = [];
  let current: unknown = error;
  for (let depth = 0; current instanceof Error && depth < 5; depth += 1) {
    lines.push(...(current.stack ?? current.message).split('\n').map((line) => `  ${line}`));
    current = current.cause;
  }
  return lines;
}
