import { expect, test } from 'vitest';
import { campaignSeed } from './campaign-seed.ts';
import { runDiskFull } from './disk-full.ts';
import { canMakeDisks } from './small-disk.ts';

test.skipIf(!canMakeDisks())(
  'a full disk is named, loses nothing that was acknowledged, and lets everything go on with room',
  async () => {
    const seed = campaignSeed();
    const { figures, failures } = await runDiskFull({ count: 6, seed, note: () => {} });
    expect({ seed, failures }).toEqual({ seed, failures: [] });
    expect(figures['backup: no room, said so']).toBeGreaterThan(0);
    expect(figures['mount: no room, said so']).toBeGreaterThan(0);
  },
  240_000,
);
