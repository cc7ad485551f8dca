import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { processIdentity, Secret, sleepMs, systemClock } from '#base';
import type { CopyBindings } from '../bindings.ts';
import type { Environment, Service } from '../model.ts';
import { groupMembers } from './marked-processes.ts';
import { createProcessRuntime, type StartedService } from './process.ts';
import { parseStarted, stopProcesses } from './stop.ts';

let folder: string;
let bindings: CopyBindings;

beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-runtime-'));
  bindings = {
    stores: { orders: { url: 'postgresql://postgres:copypass@127.0.0.1:6001/shop' } },
    services: { other: { url: 'http://127.0.0.1:6002' } },
    scratch: path.join(folder, 'scratch'),
    muted: true,
  };
});
afterEach(() => fs.rm(folder, { recursive: true, force: true }));

/** Answers its environment at /, and 200 at /healthz. */
const SERVER = `
const http = require('node:http');
http.createServer((request, response) => {
  response.end(request.url === '/healthz' ? 'ok' : JSON.stringify(process.env));
}).listen(Number(process.env.PORT), '127.0.0.1');
`;

function environmentOf(service: Partial<Service>): Environment {
  return {
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
        own: { url: 'postgresql://app:prodpass@db.example:5432/shop' },
      },
    ],
    services: [
      {
        name: 'api',
        run: [process.execPath, '-e', SERVER],
        cwd: folder,
        needs: ['orders'],
        mentions: [],
        env: {},
        health: 'http://127.0.0.1:${port}/healthz',
        sideEffects: [],
        ...service,
      },
    ],
    checks: [],
  };
}

const variables = {
  PATH: process.env.PATH,
  HOLDFAST_PASSWORD: 'never',
  ORDERS_URL: 'postgresql://app:prodpass@db.example:5432/shop',
  MAIL_KEY: 'mailkey',
};

function runtimeOf(service: Partial<Service>, healthTimeoutMs = 20_000) {
  return createProcessRuntime({ environment: environmentOf(service), variables, healthTimeoutMs });
}

async function isAnswering(url: string): Promise<boolean> {
  try {
    await (await fetch(`${url}/healthz`)).text();
    return true;
  } catch {
    return false;
  }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const untilMs = systemClock.monotonicMs() + 20_000;
  while (!(await condition())) {
    if (systemClock.monotonicMs() > untilMs) throw new Error('it never came true');
    await sleepMs(30);
  }
}

const withService = async (
  service: Partial<Service>,
  use: (running: StartedService) => Promise<void>,
) => {
  const runtime = runtimeOf(service);
  const running = await runtime.start('api', bindings);
  try {
    await use(running);
  } finally {
    await runtime.stop(running);
  }
};

describe('a started service', () => {
  test.runIf(process.getuid?.() === 0)('runs as the user that is named', async () => {
    await fs.chmod(folder, 0o755);
    const run = 'echo "$(id -un) $HOME"; exit 1';
    const starting = runtimeOf({ run, user: 'nobody' }).start('api', bindings);
    await expect(starting).rejects.toThrow(/\n *nobody \/nonexistent/);
    await expect(runtimeOf({ user: 'no-such-one' }).start('api', bindings)).rejects.toMatchObject({
      code: 'environment/service-user-unknown',
    });
  });

  test('is healthy, has its own addresses and muted side effects, and nothing of production', async () => {
    const env = {
      DATABASE_URL: '${stores.orders.url}',
      OTHER: '${services.other.url}/x',
      MAIL_KEY: '${MAIL_KEY}',
    };
    await withService({ env, sideEffects: ['email', 'payments'] }, async (running) => {
      const seen = (await (await fetch(running.url)).json()) as Record<string, string>;
      expect(seen).toMatchObject({
        DATABASE_URL: bindings.stores.orders?.url,
        OTHER: 'http://127.0.0.1:6002/x',
        MAIL_KEY: 'mailkey',
        HOLDFAST_MUTED: 'email,payments',
        PORT: String(running.port),
      });
      expect(seen.ORDERS_URL).toBeUndefined();
      expect(seen.HOLDFAST_PASSWORD).toBeUndefined();
    });
  });

  test('is stopped with all its children, twice without harm', async () => {
    const runtime = runtimeOf({ run: `sleep 1000 & exec "${process.execPath}" server.cjs` });
    await fs.writeFile(path.join(folder, 'server.cjs'), SERVER);
    const running = await runtime.start('api', bindings);
    expect(await isAnswering(running.url)).toBe(true);
    // Another runtime, as after a restart of Holdfast.
    await runtimeOf({}).stop(running);
    expect(await isAnswering(running.url)).toBe(false);
    expect(await groupMembers(running.pid)).toEqual([]);
    await runtime.stop(running);
  });

  test('is ended by force when it ignores being asked', async () => {
    const run = `trap "" TERM; ${JSON.stringify(process.execPath)} server.cjs & wait; wait`;
    await fs.writeFile(
      path.join(folder, 'server.cjs'),
      `process.on('SIGTERM', () => {});${SERVER}`,
    );
    const running = await runtimeOf({ run }).start('api', bindings);
    const started = parseStarted(running.pid, running.startedAt);
    expect(await stopProcesses(started, 200)).toBe(true);
    expect(await groupMembers(running.pid)).toEqual([]);
  });

  test('that an earlier Holdfast left behind is ended before a new one starts', async () => {
    const runtime = runtimeOf({});
    const first = await runtime.start('api', bindings);
    const second = await runtime.start('api', bindings);
    expect(second.pid).not.toBe(first.pid);
    expect(await isAnswering(first.url)).toBe(false);
    await runtime.stop(first);
    expect(await isAnswering(second.url)).toBe(false);
  });

  test('is ended with its copy, though whoever started it was killed before it could note that', async () => {
    const runtime = runtimeOf({});
    const running = await runtime.start('api', bindings);
    await runtime.stopAll(`${bindings.scratch}-of-another`);
    expect(await isAnswering(running.url)).toBe(true);
    await runtimeOf({}).stopAll(bindings.scratch);
    expect(await isAnswering(running.url)).toBe(false);
    await runtime.stopAll(bindings.scratch);
  });

  test('leaves alone whoever has its number later', async () => {
    const runtime = runtimeOf({});
    const running = await runtime.start('api', bindings);
    await runtime.stop(running);
    const bystander = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    try {
      await runtime.stop({ ...running, pid: bystander.pid as number });
      expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
      expect(await processIdentity(bystander.pid as number)).toBeDefined();
    } finally {
      bystander.kill('SIGKILL');
    }
  });
});

describe('a service that does not come up', () => {
  test('says how it ended and the end of its log, without secrets', async () => {
    const run = 'echo "cannot reach $DATABASE_URL"; exit 3';
    const starting = runtimeOf({ run, env: { DATABASE_URL: '${stores.orders.url}' } });
    const failure = await starting.start('api', bindings).catch((error: Error) => error);
    expect(failure).toMatchObject({ code: 'environment/service-ended' });
    expect((failure as Error).message).toBe(
      'service api ended by itself (exit 3):\ncannot reach [secret]',
    );
  });

  test('says what its health address answered, and leaves nothing running', async () => {
    const run = [
      process.execPath,
      '-e',
      SERVER.replace('response.end', 'response.statusCode = 503; response.end'),
    ];
    const failure = await runtimeOf({ run }, 1_500)
      .start('api', bindings)
      .catch((error: Error) => error);
    expect(failure).toMatchObject({ code: 'environment/service-unhealthy' });
    expect((failure as Error).message).toContain('/healthz answered 503');
  });

  test('a folder or command that does not exist is named', async () => {
    await expect(runtimeOf({ cwd: '/nonexistent' }).start('api', bindings)).rejects.toThrow(
      'ENOENT',
    );
    const environment = environmentOf({});
    delete environment.services[0]?.run;
    await expect(
      createProcessRuntime({ environment }).start('api', bindings),
    ).rejects.toMatchObject({
      code: 'environment/service-without-run',
    });
    await expect(runtimeOf({}).start('web', bindings)).rejects.toMatchObject({
      code: 'environment/service-unknown',
    });
  });

  test('a reference without an answer is named, never its value', async () => {
    const missing = runtimeOf({ env: { KEY: '${NOT_SET}' } });
    await expect(missing.start('api', bindings)).rejects.toThrow('NOT_SET is not set');
    const unknown = runtimeOf({ env: { URL: '${stores.billing.url}' } });
    await expect(unknown.start('api', bindings)).rejects.toMatchObject({
      code: 'environment/binding-unknown',
    });
  });

  test('is ended when the work is given up', async () => {
    const abort = new AbortController();
    const runtime = createProcessRuntime({
      environment: environmentOf({ run: 'sleep 1000' }),
      variables,
      signal: abort.signal,
    });
    const starting = runtime.start('api', bindings);
    await until(() => fs.stat(path.join(bindings.scratch, 'api.log')).then(Boolean, () => false));
    abort.abort(new Error('given up'));
    await expect(starting).rejects.toThrow('given up');
  });
});

test('a service that still points at production is not started', async () => {
  for (const env of [
    { DATABASE_URL: '${ORDERS_URL}' },
    { DATABASE_URL: 'postgresql://someone@db.example/other' },
    { OPTIONS: '{"url": "postgresql://x@DB.example:5432/shop"}' },
    { PGHOST: 'db.example' },
  ]) {
    await expect(
      runtimeOf({ env }).start('api', bindings),
      JSON.stringify(env),
    ).rejects.toMatchObject({ code: 'environment/points-at-production', kind: 'refused' });
  }
});
