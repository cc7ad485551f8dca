import { expect, test } from 'vitest';
import { chooseProof, type ProofState } from './choose-proof.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const NOW_MS = 1_790_000_000_000;

const point = (id: string, agoMs: number) => ({ id, atMs: NOW_MS - agoMs });
const proof = (
  id: string | undefined,
  agoMs: number,
  more: Partial<ProofState['proofs'][number]> = {},
): ProofState['proofs'][number] => ({
  ...(id === undefined ? {} : { point: id }),
  endedAtMs: NOW_MS - agoMs,
  verdict: 'pass',
  declaration: 'one',
  ...more,
});
const choose = (state: Partial<ProofState>) =>
  chooseProof({
    ...{ points: [], proofs: [], periodMs: DAY_MS, declaration: 'one', nowMs: NOW_MS },
    ...state,
  });

test('nothing where nothing was captured, or all is proven', () => {
  expect(choose({})).toBeUndefined();
  const points = [point('a', HOUR_MS)];
  expect(choose({ points, proofs: [proof('a', HOUR_MS / 2)] })).toBeUndefined();
});

test('the newest point without a proof, once it has settled; the first one is due', () => {
  const points = [point('new', 1_000), point('b', HOUR_MS), point('a', 2 * HOUR_MS)];
  expect(choose({ points })).toEqual({ point: points[1], isDue: true });
  const proofs = [proof('b', HOUR_MS / 2)];
  expect(choose({ points, proofs })).toEqual({ point: points[2], isDue: false });
  const settled = [point('new', 6_000), ...points.slice(1)];
  expect(choose({ points: settled, proofs })).toEqual({ point: settled[0], isDue: false });
});

test('what is older than a period is left as it is', () => {
  const points = [point('b', HOUR_MS), point('a', 2 * DAY_MS)];
  expect(choose({ points, proofs: [proof('b', HOUR_MS / 2)] })).toBeUndefined();
});

test('one is due before the period is over, and after each change of the declaration', () => {
  const points = [point('a', 20 * HOUR_MS)];
  expect(choose({ points, proofs: [proof('a', 19 * HOUR_MS)] })).toBeUndefined();
  expect(choose({ points, proofs: [proof('a', 19.5 * HOUR_MS)] })).toEqual({ isDue: true });
  const proofs = [proof('a', HOUR_MS)];
  expect(choose({ points, proofs, declaration: 'two' })).toEqual({ isDue: true });
});

test('one that did not pass is tried again after an hour, unless there is a newer point', () => {
  const points = [point('a', 3 * HOUR_MS)];
  const proofs = [proof('a', HOUR_MS, { verdict: 'fail' })];
  expect(choose({ points, proofs })).toEqual({ point: points[0], isDue: true });
  const soon = [proof('a', HOUR_MS - 1, { verdict: 'unknown' })];
  expect(choose({ points, proofs: soon })).toBeUndefined();
  const newer = [point('b', HOUR_MS / 2), ...points];
  expect(choose({ points: newer, proofs })).toEqual({ point: newer[0], isDue: false });
});
