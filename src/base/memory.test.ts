import { expect, test } from 'vitest';
import { copyInto, freeNow, returnLargeMemory } from './memory.ts';

test('memory that is freed is empty for all who look into it; twice is no error', () => {
  const memory = new ArrayBuffer(4096);
  const view = new Uint8Array(memory);
  freeNow(memory);
  freeNow(memory);
  expect([memory.byteLength, view.length, memory.detached]).toEqual([0, 0, true]);
});

test('shared memory is left alone', () => {
  const memory = new SharedArrayBuffer(16);
  freeNow(memory);
  expect(memory.byteLength).toBe(16);
});

test.each([ArrayBuffer, SharedArrayBuffer])(
  'bytes are copied to their place alone (%o)',
  (Memory) => {
    const target = new Uint8Array(new Memory(12), 1, 10);
    copyInto(target, Buffer.of(1, 2, 3), 3);
    copyInto(target, Buffer.alloc(0), 10);
    copyInto(target, Buffer.of(9), 9);
    expect([...new Uint8Array(target.buffer)]).toEqual([0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 9, 0]);
    expect(() => copyInto(target, Buffer.of(7, 7), 9)).toThrow(RangeError);
  },
);

test('asking for large memory back is possible everywhere, and again', () => {
  expect(() => {
    returnLargeMemory();
    returnLargeMemory();
  }).not.toThrow();
});
