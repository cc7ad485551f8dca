import { expect, test } from 'vitest';
import { createSlots } from './slots.ts';

test('no more than so many go on at once, in their order, and a failure frees its place', async () => {
  const slots = createSlots(2);
  const { signal } = new AbortController();
  const log: string[] = [];
  let atOnce = 0;
  let most = 0;
  const work = (name: string) =>
    slots.use(signal, async () => {
      atOnce += 1;
      most = Math.max(most, atOnce);
      log.push(name);
      await new Promise(setImmediate);
      atOnce -= 1;
      if (name === 'b') throw new Error('b failed');
    });
  const ended = await Promise.allSettled(['a', 'b', 'c', 'd', 'e'].map(work));
  expect(most).toBe(2);
  expect(log).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(ended.map((one) => one.status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
    'fulfilled',
  ]);
});

test('who gives up waiting takes no place', async () => {
  const slots = createSlots(1);
  const busy = Promise.withResolvers<void>();
  const first = slots.use(new AbortController().signal, () => busy.promise);
  const impatient = new AbortController();
  const second = slots.use(impatient.signal, async () => 'second');
  impatient.abort(new Error('enough'));
  await expect(second).rejects.toThrow('enough');
  busy.resolve();
  await first;
  const third = slots.use(new AbortController().signal, async () => 'third');
  expect(await third).toBe('third');
});
