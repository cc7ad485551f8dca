/** Answers to the kernel, written to the device from whichever thread has them. */
import fs from 'node:fs';
import { encodeReplyHeader } from './wire.ts';

/** The body of an answer in parts, or an errno. */
export type FuseAnswer = readonly Uint8Array[] | { errno: number };

/** Whoever asked has gone, or the file system is unmounted: nobody waits any more. */
const NOBODY_WAITS = new Set(['ENOENT', 'ENODEV', 'EBADF']);

export function sendAnswer(descriptor: number, unique: bigint, answer: FuseAnswer): void {
  const parts = 'errno' in answer ? [] : answer;
  const errno = 'errno' in answer ? answer.errno : 0;
  const bodyBytes = parts.reduce((sum, part) => sum + part.length, 0);
  try {
    fs.writevSync(descriptor, [encodeReplyHeader(unique, errno, bodyBytes), ...parts]);
  } catch (error) {
    if (!NOBODY_WAITS.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
