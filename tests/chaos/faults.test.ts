import { expect, test } from 'vitest';
import { campaignSeed } from './campaign-seed.ts';
import { runFaults } from './faults.ts';

test('storage that goes wrong by chance gives no wrong byte, and no false word of ours', async () => {
  const seed = campaignSeed();
  const { figures, failures } = await runFaults({ count: 16, seed, note: () => {} });
  expect({ seed, failures }).toEqual({ seed, failures: [] });
  expect(figures.acknowledged).toBeGreaterThan(0);
}, 240_000);
