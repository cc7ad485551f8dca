import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findLastHeld, type Moment } from './last-held.ts';

/** A store whose commits are at these instants, and a condition that the one of them made false. */
function storeWith(commits: readonly number[], culprit: number) {
  const momentAt = async (atMs: number): Promise<Moment> => {
    const before = commits.filter((commit) => commit <= atMs);
    const [lastCommitMs, nextCommitMs] = [before.at(-1), commits[before.length]];
    return {
      atMs,
      state: String(before.length),
      ...(lastCommitMs === undefined ? {} : { lastCommitMs }),
      ...(nextCommitMs === undefined ? {} : { nextCommitMs }),
    };
  };
  return {
    momentAt,
    holds: async ({ state }: Moment) => Number(state) <= culprit,
    onStep: () => {},
  };
}

test('the last instant at which it held is found, whatever the commits, to the precision or the very commit', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.double({ min: 1_001, max: 3_600_000, noNaN: true }), {
        minLength: 1,
        maxLength: 200,
      }),
      fc.nat(),
      fc.constantFrom(1, 1_000, 60_000),
      async (unsorted, pick, precisionMs) => {
        const commits = unsorted.toSorted((a, b) => a - b);
        const culprit = pick % commits.length;
        const found = await findLastHeld({
          ...{ fromMs: 1_000, toMs: 3_600_001, precisionMs },
          ...storeWith(commits, culprit),
        });
        const brokenMs = commits[culprit] as number;
        expect(found.heldMs).toBeLessThan(brokenMs);
        expect(found.failedMs).toBeGreaterThanOrEqual(brokenMs);
        expect(found.isExact || found.failedMs - found.heldMs <= precisionMs).toBe(true);
        expect(found.copies).toBeLessThanOrEqual(26);
      },
    ),
  );
});

test('one commit between costs two copies', async () => {
  const found = await findLastHeld({
    ...{ fromMs: 0, toMs: 1e9, precisionMs: 1 },
    ...storeWith([5e8 + 0.25], 0),
  });
  expect(found).toEqual({ heldMs: 5e8, failedMs: 5e8 + 1, isExact: true, copies: 2 });
});

test('what never held, holds still or has no span is said', async () => {
  const store = storeWith([10, 20], 0);
  const ask = (fromMs: number, toMs: number) =>
    findLastHeld({ fromMs, toMs, precisionMs: 1, ...store });
  await expect(ask(11, 30)).rejects.toMatchObject({ code: 'recovery/never-held' });
  await expect(ask(1, 9)).rejects.toMatchObject({ code: 'recovery/still-holds' });
  await expect(ask(9, 9)).rejects.toMatchObject({ code: 'recovery/span-empty' });
});
