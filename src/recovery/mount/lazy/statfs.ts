/** Room of the file system below, as the kernel is told of it. */
import fs from 'node:fs';

const LONGEST_NAME = 255;

export function encodeStatfsOf(folder: string): Buffer {
  const { bsize, blocks, bfree, bavail, files, ffree } = fs.statfsSync(folder, { bigint: true });
  const answer = Buffer.alloc(80);
  [blocks, bfree, bavail, files, ffree].forEach((number, place) => {
    answer.writeBigUInt64LE(number, place * 8);
  });
  answer.writeUInt32LE(Number(bsize), 40);
  answer.writeUInt32LE(LONGEST_NAME, 44);
  answer.writeUInt32LE(Number(bsize), 48);
  return answer;
}
