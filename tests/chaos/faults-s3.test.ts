import { expect, test } from 'vitest';
import { campaignSeed } from './campaign-seed.ts';
import { runFaultsS3 } from './faults-s3.ts';

test('a way to S3 that goes wrong by chance gives no wrong byte, and no false word of ours', async () => {
  const seed = campaignSeed();
  const { figures, failures } = await runFaultsS3({ count: 4, seed, note: () => {} });
  expect({ seed, failures }).toEqual({ seed, failures: [] });
  const ended = [figures.acknowledged, figures['refused, with a clear error']].map((n) =>
    Number(n ?? 0),
  );
  expect((ended[0] ?? 0) + (ended[1] ?? 0)).toBe(4);
}, 240_000);
