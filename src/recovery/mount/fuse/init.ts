/** The first exchange with the kernel: which version, which features, how much at once. */
import { errors } from '../../errors.ts';
import {
  FEATURE,
  LEAST_MINOR,
  MAJOR,
  MAX_TRANSFER_BYTES,
  MAX_TRANSFER_PAGES,
  MINOR,
} from './opcodes.ts';

/** Of every file system here. Without big writes, what isn't held back would come page by page. */
const FEATURES =
  FEATURE.asyncRead |
  FEATURE.bigWrites |
  FEATURE.parallelDirops |
  FEATURE.maxPages |
  FEATURE.cacheSymlinks;

/** Listing a folder tells of each entry what a stat would: for who looks at all of them anyway. */
export const LISTS_ATTRIBUTES = FEATURE.readdirplus | FEATURE.readdirplusAuto;

const READ_AHEAD_BYTES = 1024 * 1024;
const REQUESTS_AT_ONCE = 64;

/**
 * The answer's body. `moreFeatures`: of this file system besides. Throws `recovery/fuse-too-old`.
 */
export function answerInit(body: Buffer, moreFeatures = 0): Buffer {
  const major = body.readUInt32LE(0);
  const minor = body.readUInt32LE(4);
  if (major !== MAJOR || minor < LEAST_MINOR) throw errors.fuseTooOld([`${major}.${minor}`]);
  const answer = Buffer.alloc(64);
  answer.writeUInt32LE(MAJOR, 0);
  answer.writeUInt32LE(MINOR, 4);
  answer.writeUInt32LE(Math.min(body.readUInt32LE(8), READ_AHEAD_BYTES), 8);
  answer.writeUInt32LE((body.readUInt32LE(12) & (FEATURES | moreFeatures)) >>> 0, 12);
  answer.writeUInt16LE(REQUESTS_AT_ONCE, 16);
  answer.writeUInt16LE((REQUESTS_AT_ONCE * 3) / 4, 18);
  answer.writeUInt32LE(MAX_TRANSFER_BYTES, 20);
  answer.writeUInt32LE(1, 24);
  answer.writeUInt16LE(MAX_TRANSFER_PAGES, 28);
  return answer;
}
