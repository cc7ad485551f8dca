import fc from 'fast-check';
import { expect, it } from 'vitest';
import { madeMetadata } from '#base';
import { encodeTree, type TreeNode } from '#repository';
import { FolderNodes } from './folder-nodes.ts';

const COUNT = 20_000;

function node(number: number): TreeNode {
  const content = Buffer.alloc(number % 5000 === 0 ? 96 * 1024 : 32 * (number % 3), number);
  return { ...madeMetadata('file', 0o600, BigInt(number)), name: nameOf(number), content };
}

const nameOf = (number: number) => Buffer.from(`${number}`.padStart(8, '0'));

const expected = Buffer.concat(encodeTree(Array.from({ length: COUNT }, (_, i) => node(i))));

/** In runs that overlap by as much as that. */
function* shuffledWithin(reach: number, seed: number): Generator<number> {
  for (let from = 0; from < COUNT; from += reach) {
    const size = Math.min(reach, COUNT - from);
    // A step that has no common divisor with the size comes by each once.
    for (let at = 0; at < size; at += 1) yield from + ((at * 7919 + seed) % size);
  }
}

it.each([1, 513, 9001, COUNT])('are in order again, whatever came first (%d apart)', (reach) => {
  const nodes = new FolderNodes();
  expect(nodes.isEmpty).toBe(true);
  for (const number of shuffledWithin(reach, 17)) nodes.add(node(number));
  expect(nodes.isEmpty).toBe(false);
  expect(nodes.runBytes).toBeGreaterThan(16_384 * 100);
  expect(Buffer.concat(encodeTree(nodes.take())).equals(expected)).toBe(true);
});

it('come back with spans of the tree before among them', () => {
  fc.assert(
    fc.property(fc.nat({ max: COUNT - 600 }), fc.integer({ min: 1, max: 500 }), (from, length) => {
      const nodes = new FolderNodes();
      const inSpan = (number: number) => number >= from && number < from + length;
      const alone = Buffer.concat(
        encodeTree(Array.from({ length }, (_, number) => node(from + number))),
      );
      nodes.add({
        name: nameOf(from),
        lastName: nameOf(from + length - 1),
        bytes: alone.subarray('{"nodes":['.length, -']}\n'.length),
      });
      for (let number = 0; number < COUNT; number += 1) {
        if (!inSpan(number)) nodes.add(node(number));
      }
      expect(Buffer.concat(encodeTree(nodes.take())).equals(expected)).toBe(true);
    }),
    { numRuns: 3 },
  );
});
