import { expect, test } from 'vitest';
import { sleepMs, systemClock } from '#base';
import { PointPace } from './point-pace.ts';

/** Notes what was captured by then, as an environment does. */
function paced(everyMs: number, failures = 0) {
  const stop = new AbortController();
  const noted: number[] = [];
  let captures = 0;
  let left = failures;
  const pace: PointPace = new PointPace({
    everyMs,
    signal: stop.signal,
    note: async () => {
      left -= 1;
      if (left >= 0) throw new Error('the repository is away');
      noted.push(captures);
      pace.pointed(['uploads']);
    },
    onTrouble: () => {},
  });
  const capture = async (store = 'uploads') => {
    captures += 1;
    await pace.captured(store);
  };
  return { pace, noted, capture, stop };
}

async function until(is: () => boolean): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + 20_000;
  while (!is()) {
    if (systemClock.monotonicMs() > deadlineMs) throw new Error('never');
    await sleepMs(10);
  }
}

test('the first capture has its point at once, and many that follow have one together', async () => {
  const { noted, capture } = paced(2_000);
  for (let at = 0; at < 50; at += 1) await capture();
  expect(noted).toEqual([1]);
  await until(() => noted.length > 1);
  expect(noted).toEqual([1, 50]);
});

test('a store without a point has one at once, whatever waits', async () => {
  const { noted, capture, stop, pace } = paced(3_600_000);
  await capture();
  await capture();
  await capture('exports');
  expect(noted).toEqual([1, 3]);
  stop.abort();
  await pace.ended;
  expect(noted).toEqual([1, 3]);
});

test('where a point fails at once, the capture is told; later it is tried again', async () => {
  const { pace, noted, capture } = paced(50, 2);
  await expect(capture()).rejects.toThrow('away');
  pace.pointed(['uploads']);
  await capture();
  await until(() => noted.length > 0);
  expect(noted).toEqual([2]);
});
