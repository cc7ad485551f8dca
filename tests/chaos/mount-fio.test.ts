import { expect, test } from 'vitest';
import { campaignSeed } from './campaign-seed.ts';
import { runMountFio } from './mount-fio.ts';

test.runIf(process.getuid?.() === 0)(
  'what fio writes to files of a mount, it reads back, also from the next mount',
  async () => {
    const seed = campaignSeed();
    const { figures, failures } = await runMountFio({ count: 1, seed, note: () => {} });
    expect({ seed, failures }).toEqual({ seed, failures: [] });
    expect(figures['bytes read and compared']).toBeGreaterThan(0);
  },
  120_000,
);
