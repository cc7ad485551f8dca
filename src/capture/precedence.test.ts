import { expect, test } from 'vitest';
import { GiveWay, goFirst } from './precedence.ts';

const PORTION_BYTES = 4 * 2 ** 20;
const NEVER = new AbortController().signal;

test('a capture waits for a journal of its repository that lags, and only for such a one', async () => {
  const repository = {};
  let lagMs = 60_000;
  const stop = goFirst(repository, () => lagMs);
  const giveWay = new GiveWay(repository, NEVER);
  expect(giveWay.after(PORTION_BYTES - 1)).toBeUndefined();
  const waiting = giveWay.after(1);
  expect(waiting).toBeInstanceOf(Promise);
  lagMs = 10;
  await waiting;
  expect(giveWay.after(PORTION_BYTES)).toBeUndefined();
  lagMs = 60_000;
  expect(new GiveWay({}, NEVER).after(PORTION_BYTES)).toBeUndefined();
  stop();
  expect(giveWay.after(PORTION_BYTES)).toBeUndefined();
});

test('a journal that lags for good lets a capture through in portions, and an abort ends the waiting', async () => {
  const repository = {};
  goFirst(repository, () => 60_000);
  await new GiveWay(repository, NEVER).after(PORTION_BYTES);
  const stop = new AbortController();
  const waiting = new GiveWay(repository, stop.signal).after(PORTION_BYTES);
  stop.abort(new Error('stopped'));
  await expect(waiting).rejects.toThrow('stopped');
});
