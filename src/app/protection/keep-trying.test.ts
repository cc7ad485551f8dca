import { expect, test } from 'vitest';
import { keepTrying } from './keep-trying.ts';
import { PendingChanges } from './pending-changes.ts';

test('goes on until it works, and tells of trouble and of its end', async () => {
  const told: (string | undefined)[] = [];
  let attempts = 0;
  const result = await keepTrying(
    {
      signal: new AbortController().signal,
      firstPauseMs: 1,
      onTrouble: (trouble) => told.push(trouble?.what),
    },
    async () => {
      attempts += 1;
      if (attempts < 3) throw new Error(`failed ${attempts}`);
      return 'done';
    },
  );
  expect(result).toBe('done');
  expect(told).toEqual(['failed 1', 'failed 2', undefined]);
});

test('ends when it is told to, while it works or waits', async () => {
  const stop = new AbortController();
  const trying = keepTrying(
    { signal: stop.signal, firstPauseMs: 600_000, onTrouble: () => stop.abort() },
    async () => {
      throw new Error('no');
    },
  );
  expect(await trying).toBeUndefined();
});

test('changes belong to one capture each, and since when is never later than the first', async () => {
  const changes = new PendingChanges();
  expect(changes.take()).toBeUndefined();
  const waiting = changes.any(new AbortController().signal);
  changes.add({ directories: new Set(), throughMs: 80 }, 81);
  changes.add({ directories: new Set(['a']), throughMs: 99 }, 100);
  await waiting;
  changes.add({ directories: new Set(['b']), throughMs: 199 }, 200);
  expect([changes.sinceMs, changes.unchangedThroughMs]).toEqual([100, 80]);
  const taken = changes.take();
  expect(taken).toEqual({
    directories: new Set(['a', 'b']),
    sinceMs: 100,
    throughMs: 199,
    unchangedThroughMs: 80,
  });
  expect(changes.unchangedThroughMs).toBe(199);
  changes.add({ directories: new Set(['c']), throughMs: 299 }, 300);
  // A capture that failed gives its changes back.
  if (taken) changes.giveBack(taken);
  expect(changes.take()).toEqual({
    directories: new Set(['c', 'a', 'b']),
    sinceMs: 100,
    throughMs: 299,
    unchangedThroughMs: 80,
  });
});

test('where anything may have changed, everything is looked at', () => {
  const changes = new PendingChanges();
  changes.add({ directories: new Set(['a']), throughMs: 99 }, 100);
  changes.add({ directories: undefined, throughMs: 199 }, 200);
  changes.add({ directories: new Set(['b']), throughMs: 299 }, 300);
  expect(changes.take()).toEqual({
    directories: undefined,
    sinceMs: 100,
    throughMs: 299,
    unchangedThroughMs: undefined,
  });
});
