import { expect, test } from 'vitest';
import { freeNow, returnLargeMemory } from './memory.ts';

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

test('asking for large memory back is possible everywhere, and again', () => {
  expect(() => {
    returnLargeMemory();
    returnLargeMemory();
  }).not.toThrow();
});
