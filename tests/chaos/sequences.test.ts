import { expect, test } from 'vitest';
import { campaignSeed } from './campaign-seed.ts';
import { runSequences } from './sequences.ts';

test('whatever follows upon whatever under faults, nothing acknowledged is lost', async () => {
  const seed = campaignSeed();
  const { figures, failures } = await runSequences({ count: 6, seed, note: () => {} });
  expect({ seed, failures }).toEqual({ seed, failures: [] });
  expect(figures['afterwards: all that was acknowledged is there']).toBeGreaterThan(0);
}, 240_000);
