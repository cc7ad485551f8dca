import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readAhead } from './read-ahead.ts';

async function* numbers(count: number, onRead: (number: number) => void = () => {}) {
  for (let number = 0; number < count; number += 1) {
    onRead(number);
    if (number % 3 === 0) await setImmediate();
    yield number;
  }
}

it('gives everything in order, whatever the bound', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(200), fc.integer({ min: 1, max: 50 }), async (count, bound) => {
      const given = await Array.fromAsync(readAhead(numbers(count), () => 1, bound));
      expect(given).toEqual(Array.from({ length: count }, (_, number) => number));
    }),
  );
});

it('reads before it is asked, up to its bound', async () => {
  let read = -1;
  const ahead = readAhead(
    numbers(100, (number) => {
      read = number;
    }),
    () => 2,
    20,
  );
  for (let turn = 0; turn < 50; turn += 1) await setImmediate();
  expect(read).toBe(9);
  await Array.fromAsync(ahead);
  expect(read).toBe(99);
});

it('throws what the source throws, behind what came before it', async () => {
  async function* failing() {
    yield 1;
    throw new Error('broken');
  }
  const given: number[] = [];
  const all = async () => {
    for await (const one of readAhead(failing(), () => 1, 10)) given.push(one);
  };
  await expect(all()).rejects.toThrow('broken');
  expect(given).toEqual([1]);
});

it('keeps nothing that was taken, however far ahead its source is', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const items: WeakRef<object>[] = [];
  async function* source() {
    for (let number = 0; number < 100; number += 1) {
      const item = { number };
      items.push(new WeakRef(item));
      yield item;
    }
  }
  const ahead = readAhead(source(), () => 1, 50);
  while (items.length < 50) await setImmediate();
  for (let taken = 0; taken < 20; taken += 1) await ahead[Symbol.asyncIterator]().next();
  await setImmediate();
  collect();
  const kept = items.slice(0, 19).filter((item) => item.deref() !== undefined);
  expect(items.length).toBeGreaterThan(50);
  expect(kept).toEqual([]);
  ahead.stop();
});

it('lets the source end when nobody takes any more', async () => {
  let closed = 0;
  async function* endless() {
    try {
      for (;;) yield 1;
    } finally {
      closed += 1;
    }
  }
  for await (const _ of readAhead(endless(), () => 1, 3)) break;
  await setImmediate();
  expect(closed).toBe(1);
  const untaken = readAhead(endless(), () => 1, 3);
  await setImmediate();
  untaken.stop();
  await setImmediate();
  expect(closed).toBe(2);
});
