import { expect, test } from 'vitest';
import { EarlyBlobs } from './early-blobs.ts';

const MIB = 2 ** 20;
const idsOf = (blobs: EarlyBlobs) => [...blobs.ids()].map((id) => id[0]);
const file = (...firstBytes: number[]) => Buffer.concat(firstBytes.map((b) => Buffer.alloc(32, b)));

test('gives the blobs of what matches, the most wanted files first, and of others none', () => {
  const early = new EarlyBlobs([/^global\//, /^base\/\d+\/12/]);
  early.add('base/5/1259', 4096, file(1, 2));
  early.add('global/1260', 4096, file(3));
  early.add('base/5/16384', 4096, file(4));
  expect(idsOf(early)).toEqual([3, 1, 2]);
});

test('stays within its share of the tree, and passes over what is too large for it', () => {
  const early = new EarlyBlobs([/^early/]);
  early.add('large', 800 * MIB, file(9));
  early.add('early-1', 5 * MIB, file(1));
  early.add('early-2', 40 * MIB, file(2));
  early.add('early-3', 3 * MIB, file(3));
  early.add('early-4', 2 * MIB, file(4));
  expect(idsOf(early)).toEqual([1, 3]);
});
