import { expect, test } from 'vitest';
import { randomBytes } from '#base';
import { runSequences } from './sequences.ts';

test('whatever follows upon whatever under faults, nothing acknowledged is lost', async () => {
  const seed = randomBytes(4).readUInt32LE();
  const { figures, failures } = await runSequences({ count: 6, seed, note: () => {} });
  expect({ seed, failures }).toEqual({ seed, failures: [] });
  expect(figures['afterwards: all that was acknowledged is there']).toBeGreaterThan(0);
}, 240_000);
