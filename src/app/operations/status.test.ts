import { expect, test } from 'vitest';
import { gapsOf } from './status.ts';

const windows = [
  { fromMs: 0, toMs: 10, capture: 'a' },
  { fromMs: 20, toMs: 30, capture: 'b' },
  { fromMs: 40, toMs: 50, capture: 'c' },
];

test('what lies between two windows is named, by its record where there is one', () => {
  const gap = { id: 'g', address: { environment: 'e', stage: 's', store: 'o' } };
  const recorded = { ...gap, fromMs: 12, toMs: 19, because: 'the slot was lost' };
  const open = { ...gap, fromMs: 50, because: 'the server is away' };
  expect(gapsOf({ windows, gaps: [open, recorded] as never })).toEqual([
    { fromMs: 12, toMs: 19, because: 'the slot was lost' },
    { fromMs: 30, toMs: 40, because: expect.stringContaining('forked') },
    { fromMs: 50, because: 'the server is away' },
  ]);
});

test('before a base that the journal has yet to come to there is no gap so far', () => {
  const justMade = { fromMs: 60, toMs: 60, capture: 'd' };
  const next = { fromMs: 70, toMs: 80, capture: 'e' };
  const last = (all: typeof windows) => gapsOf({ windows: all, gaps: [] }).at(-1);
  expect(last([...windows, justMade])).toMatchObject({ fromMs: 30, toMs: 40 });
  expect(gapsOf({ windows: [...windows, justMade, next], gaps: [] })).toHaveLength(4);
});
