/** Stats of files on disk as the kernel is told of them. */
import type { BigIntStats } from 'node:fs';
import { kernelDevice } from '../fuse/device-number.ts';
import type { NodeAttributes } from '../fuse/wire.ts';

export function attributesOf(number: bigint, stat: BigIntStats): NodeAttributes {
  return {
    node: number,
    inode: stat.ino,
    sizeBytes: stat.size,
    mode: Number(stat.mode),
    links: Number(stat.nlink),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    device: kernelDevice(stat.rdev),
    atimeNs: stat.atimeNs,
    mtimeNs: stat.mtimeNs,
    ctimeNs: stat.ctimeNs,
  };
}
