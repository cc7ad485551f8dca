import { expect, test } from 'vitest';
import { campaignSeed } from './campaign-seed.ts';
import { runDamage } from './damage.ts';

test('damage by chance is found, named and mended, and never read as if it were right', async () => {
  const seed = campaignSeed();
  const { figures, failures } = await runDamage({ count: 24, seed, note: () => {} });
  expect({ seed, failures }).toEqual({ seed, failures: [] });
  expect(figures['check: named']).toBeGreaterThan(0);
}, 240_000);
