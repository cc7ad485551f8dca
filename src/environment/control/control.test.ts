import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { processIdentity, readProcessState, Secret, sleepMs, systemClock } from '#base';
import type { Environment } from '../model.ts';
import { productionControls } from './control.ts';

let folder: string;
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-control-'));
});
afterEach(() => fs.rm(folder, { recursive: true, force: true }));

const URL = 'postgresql://app:prodpass@db/shop';

function controlsOf(stop: string, start = 'true', options = {}) {
  const environment: Environment = {
    file: path.join(folder, 'holdfast.yaml'),
    folder,
    texts: [],
    name: 'shop',
    stage: 'production',
    owners: {},
    imports: [],
    repository: {
      url: '/repository',
      password: new Secret('p'),
      check: { everyMs: 1, periodMs: 1 },
      prune: { everyMs: 1 },
    },
    objectives: { rpoMs: 1, rtoMs: 1, proofMs: 1 },
    consistency: { skewMs: 1 },
    recovery: { hydrate: 'asked', hydrationBytesPerSecond: 1, mounting: 'asked' },
    stores: [
      {
        name: 'orders',
        type: 'postgres',
        protect: { kind: 'continuous' },
        rpoMs: 1,
        keepMs: 1,
        own: { url: URL },
      },
    ],
    services: [
      {
        name: 'api',
        cwd: folder,
        needs: [],
        mentions: [],
        env: {},
        sideEffects: [],
        control: { stop, start },
      },
      { name: 'worker', run: 'x', cwd: folder, needs: [], mentions: [], env: {}, sideEffects: [] },
    ],
    checks: [],
  };
  const variables = { PATH: process.env.PATH, SHOP: 'shop', HOLDFAST_PASSWORD: 'never', URL };
  return productionControls(environment, { variables, ...options }).services;
}

test('runs the line in the folder of the file, with the environment but for our secrets', async () => {
  await controlsOf('echo "$SHOP ${HOLDFAST_PASSWORD-none}" > seen').api?.stop();
  expect(await fs.readFile(path.join(folder, 'seen'), 'utf8')).toBe('shop none\n');
});

test('a service without control has none', () => {
  expect(controlsOf('true').worker).toBeUndefined();
});

test('what it starts goes on after it, and may write', async () => {
  const line = '(while :; do echo on; echo x >> beats; sleep 0.05; done) & echo $! > pid';
  await controlsOf('true', line).api?.start();
  const pid = Number(await fs.readFile(path.join(folder, 'pid'), 'utf8'));
  const beats = async () => (await fs.stat(path.join(folder, 'beats'))).size;
  try {
    const untilMs = systemClock.monotonicMs() + 20_000;
    while (
      !(await beats().then(
        (size) => size > 6,
        () => false,
      ))
    ) {
      if (systemClock.monotonicMs() > untilMs) throw new Error('it does not go on');
      await sleepMs(20);
    }
    expect(await processIdentity(pid)).toBeDefined();
  } finally {
    const { group = Number.NaN } = (await readProcessState(pid)) ?? {};
    process.kill(-group, 'SIGKILL');
  }
});

test('a failure tells the exit and the end of what was said, without secrets', async () => {
  const line =
    'for i in 1 2 3 4 5 6 7 8 9 10 11; do echo "line $i"; done; echo "no $URL" >&2; exit 7';
  const failure = await controlsOf(line)
    .api?.stop()
    .catch((error: Error) => error);
  expect(failure).toMatchObject({ code: 'environment/control-failed', retryable: true });
  const lines = (failure as Error).message.split('\n');
  expect(lines[0]).toBe('services.api.control.stop ended with exit 7:');
  expect(lines).toHaveLength(9);
  expect(lines.at(-1)).toBe('no [secret]');
});

test('one that hangs is ended, with what it started', async () => {
  const failure = await controlsOf('sleep 1000 & echo $! > pid; wait', 'true', { timeoutMs: 500 })
    .api?.stop()
    .catch((error: Error) => error);
  expect((failure as Error).message).toContain('did not end within');
  const pid = Number(await fs.readFile(path.join(folder, 'pid'), 'utf8'));
  const untilMs = systemClock.monotonicMs() + 20_000;
  while ((await processIdentity(pid)) !== undefined) {
    if (systemClock.monotonicMs() > untilMs) throw new Error('it still runs');
    await sleepMs(20);
  }
});
