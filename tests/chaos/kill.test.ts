import { expect, test } from 'vitest';
import { randomBytes } from '#base';
import { runKill } from './kill.ts';

test('whatever is killed leaves a clean repository with all that was acknowledged, and goes on', async () => {
  const seed = randomBytes(4).readUInt32LE();
  const options = { count: 3, seed, only: 'a folder', note: () => {} };
  const { figures, failures } = await runKill(options);
  expect({ seed, failures }).toEqual({ seed, failures: [] });
  expect(figures['went on by itself']).toBe(3);
}, 240_000);
