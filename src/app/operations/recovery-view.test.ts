import { expect, test } from 'vitest';
import type { RecoveryState } from '#recovery';
import { recoveryView } from './recovery-view.ts';

const ready = {
  ...{ id: 'r1', environment: 'shop', stage: 'production', title: 'latest', folder: '/nowhere/r1' },
  ...{ status: 'ready', inPlace: true, createdAtMs: 1, instantMs: 1 },
  ...{ stores: {}, services: [], checks: [], phases: [], bytesRead: 0 },
} as unknown as RecoveryState;
const run = { progress: undefined, failure: undefined };

test('one that is to take the place of production has not come to its end before it did', async () => {
  expect((await recoveryView(ready, { ...run, isOver: false })).status).toBe('promoting');
  expect((await recoveryView(ready, { ...run, isOver: true })).status).toBe('ready');
  expect((await recoveryView(ready, undefined)).status).toBe('ready');
  const beside = { ...ready, inPlace: false };
  expect((await recoveryView(beside, { ...run, isOver: false })).status).toBe('ready');
});
