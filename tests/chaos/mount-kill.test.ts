import { expect, test } from 'vitest';
import { campaignSeed } from './campaign-seed.ts';
import { runMountKill } from './mount-kill.ts';

test.runIf(process.getuid?.() === 0)(
  'what a program made durable on a mount survives kill -9 of the process that serves it',
  async () => {
    const seed = campaignSeed();
    const { figures, failures } = await runMountKill({ count: 4, seed, note: () => {} });
    expect({ seed, failures }).toEqual({ seed, failures: [] });
    expect(figures.kills).toBe(4);
  },
  120_000,
);
