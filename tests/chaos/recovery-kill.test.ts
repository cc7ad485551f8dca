import { expect, test } from 'vitest';
import { campaignSeed } from './campaign-seed.ts';
import { runRecoveryKill } from './recovery-kill.ts';

test.runIf(process.getuid?.() === 0)(
  'whatever is killed in the life of a recovery, the next command goes on or clears away, and production is whole',
  async () => {
    // What CI says of a change must not hang on chance; everywhere else each run looks elsewhere.
    const seed = campaignSeed();
    const { failures } = await runRecoveryKill({ count: 1, seed, only: 'life', note: () => {} });
    expect({ seed, failures }).toEqual({ seed, failures: [] });
  },
  240_000,
);
