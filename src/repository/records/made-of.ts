import type { CaptureRecord } from './records.ts';

/** The capture of which this one was made without asking the store; undefined where the store itself was read. */
export function madeOf({ facts }: Pick<CaptureRecord, 'facts'>): string | undefined {
  return typeof facts.madeOf === 'string' ? facts.madeOf : undefined;
}
