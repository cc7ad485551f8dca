import { expect, test } from 'vitest';
import { campaignSeed } from './campaign-seed.ts';
import { runKill } from './kill.ts';

test('whatever is killed leaves a clean repository with all that was acknowledged, and goes on', async () => {
  const seed = campaignSeed();
  const options = { count: 3, seed, only: 'a folder', note: () => {} };
  const { figures, failures } = await runKill(options);
  expect({ seed, failures }).toEqual({ seed, failures: [] });
  expect(figures['went on by itself']).toBe(3);
}, 240_000);
