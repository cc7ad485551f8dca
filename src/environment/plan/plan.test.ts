import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Secret } from '#base';
import { parseEnvironment } from '../load.ts';
import type { Environment, Store } from '../model.ts';
import { makePlan, type StoreInspection } from './plan.ts';
import { showPlan } from './show.ts';
import { starterText } from './starter.ts';
import { lookAround } from './surroundings.ts';

const GIB = 2 ** 30;

const environment: Environment = {
  file: '/srv/shop/holdfast.yaml',
  folder: '/srv/shop',
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
  objectives: { rpoMs: 5_000, rtoMs: 120_000, proofMs: 86_400_000 },
  consistency: { skewMs: 5_000 },
  recovery: { hydrate: 'asked', hydrationBytesPerSecond: 1, mounting: 'asked' },
  stores: [
    protectedStore('orders', 5_000, 'continuous'),
    protectedStore('billing', 5_000, 'continuous'),
    protectedStore('ledger', 5_000, 'continuous'),
    protectedStore('media', 300_000, 'every'),
    { name: 'cache', type: 'redis', protect: { kind: 'none', because: 'rebuilt at login' } },
    { name: 'scratch', type: 'files', protect: { kind: 'none', because: '' } },
  ],
  services: [],
  checks: [],
};

function protectedStore(name: string, rpoMs: number, kind: 'continuous' | 'every'): Store {
  const protect = kind === 'every' ? { kind, everyMs: rpoMs } : { kind };
  return {
    name,
    type: 'postgres',
    protect,
    rpoMs,
    keepMs: 1,
    own: { url: `postgresql://${name}` },
  };
}

const stream = { method: 'physical stream', reachable: true, facts: {} };
const inspections = new Map<string, StoreInspection>([
  ['orders', { ...stream, findings: [], sizeBytes: 412 * GIB }],
  [
    'billing',
    {
      ...stream,
      sizeBytes: 8 * GIB,
      findings: [
        { severity: 'note', code: 'checksums-off', what: 'page checksums are off' },
        {
          severity: 'refuse',
          code: 'wal-level',
          what: 'wal_level is minimal: the server keeps too little to stream from, and it must be restarted',
          mend: "alter system set wal_level = 'replica'; -- then restart the server, at a time that suits everybody",
        },
      ],
    },
  ],
  [
    'ledger',
    {
      method: 'physical stream',
      reachable: false,
      facts: {},
      findings: [
        {
          severity: 'refuse',
          code: 'unreachable',
          what: 'db2:5432 refused the connection\u001b[31m',
        },
      ],
    },
  ],
  [
    'media',
    {
      method: 'folder, every 5m',
      reachable: true,
      facts: { sizeIsLowerBound: true },
      sizeBytes: 61 * GIB,
      findings: [{ severity: 'warn', code: 'unreadable', what: '3 entries can’t be read' }],
    },
  ],
]);

describe('the plan of a declared environment', () => {
  const undeclared = [{ name: 'metabase', kind: 'volume', seenAt: 'compose.yaml:41' }];
  const plan = makePlan(environment, inspections, undeclared);

  test('judges each store, and says what has no recovery point', () => {
    expect(Object.fromEntries(plan.stores.map((store) => [store.name, store.verdict]))).toEqual({
      orders: 'ready',
      billing: 'refused',
      ledger: 'unreachable',
      media: 'attention',
      cache: 'excluded',
      scratch: 'unexplained',
      metabase: 'undeclared',
    });
    expect(plan.unprotected).toEqual(['billing', 'ledger', 'scratch', 'metabase']);
    expect(plan.attention).toEqual(['billing', 'ledger', 'media', 'scratch', 'metabase']);
    expect(plan.firstCapture).toMatchObject({ sizeBytes: 473 * GIB, isLowerBound: true });
  });

  test('is shown within 80 columns, but for the statements that mend', () => {
    const lines = showPlan(plan);
    const statements = plan.stores.flatMap((store) => store.findings.map(({ mend }) => mend));
    for (const line of lines.filter((each) => each.length > 80)) {
      expect(statements).toContain(line.trim());
    }
    expect(lines.join('\n')).not.toContain('\u001b');
    expect(lines.join('\n')).toMatchSnapshot();
  });

  test('holds no address of a store', () => {
    expect(JSON.stringify(plan)).not.toContain('postgresql://');
  });

  test('a store that nobody looked at is unknown, never ready', () => {
    const [orders] = makePlan(environment, new Map(), []).stores;
    expect(orders?.verdict).toBe('unreachable');
  });

  test('with nothing in the way it says how to start', () => {
    const calm = { ...environment, stores: environment.stores.slice(0, 1) };
    expect(showPlan(makePlan(calm, inspections, [])).join('\n')).toMatchSnapshot();
  });
});

describe('a look around', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-around-'));
    await fs.writeFile(
      path.join(folder, 'compose.yaml'),
      `services:
  db:
    image: postgres:16
    ports: ["127.0.0.1:6543:5432"]
    volumes: [pgdata:/var/lib/postgresql/data]
  web:
    image: example/web
    volumes: [./uploads:/uploads, "./conf:/etc/web:ro"]
  metabase:
    image: metabase/metabase
    volumes:
      - {type: volume, source: reports, target: /data}
volumes:
  pgdata:
  reports:
`,
    );
  });
  afterAll(() => fs.rm(folder, { recursive: true }));

  test('finds databases, volumes and folders that nobody declared', async () => {
    const seen = await lookAround(folder, { DATABASE_URL: 'postgresql://a:hush@db.example/x' });
    expect(seen.map(({ name, kind, seenAt }) => [name, kind, seenAt])).toEqual([
      ['database', 'postgres', 'DATABASE_URL'],
      ['db', 'postgres', 'compose.yaml:2'],
      ['reports', 'volume', 'compose.yaml:15'],
      ['uploads', 'folder', 'compose.yaml:8'],
    ]);
    const plan = makePlan(undefined, new Map(), seen);
    expect(plan.unprotected).toHaveLength(4);
    expect(JSON.stringify(plan)).not.toContain('hush');
    expect(showPlan(plan).join('\n')).toMatchSnapshot();
  });

  test('is silent of what a store covers, by name, folder or port', async () => {
    const covering: Environment = {
      ...environment,
      stores: [
        {
          ...protectedStore('orders', 1, 'continuous'),
          own: { url: 'postgresql://x@[::1]:6543/y' },
        },
        { ...protectedStore('pictures', 1, 'every'), own: { path: path.join(folder, 'uploads') } },
        { name: 'reports', type: 'files', protect: { kind: 'none', because: 'rebuilt' } },
      ],
    };
    expect(await lookAround(folder, { PGHOST: 'localhost', PGPORT: '6543' }, covering)).toEqual([]);
  });

  test('becomes a first file that is read without a problem', async () => {
    const variables = { DATABASE_URL: 'postgresql://a:hush@db.example/x' };
    const seen = await lookAround(folder, variables);
    const text = starterText({
      folder: '/srv/My Shop',
      repository: '/var/lib/repository',
      passwordFile: path.join(folder, 'compose.yaml'),
      schema: '/schema.json',
      imports: ['compose.yaml'],
      seen: [...seen, { name: 'On', kind: 'mysql', seenAt: 'DATABASE_URL' }],
    });
    expect(text.replaceAll(folder, '<folder>')).toMatchSnapshot();
    const started = parseEnvironment(
      [{ path: path.join(folder, 'holdfast.yaml'), bytes: Buffer.from(text) }],
      {
        sourceSchemas: {
          postgres: z.strictObject({ url: z.string() }),
          files: z.strictObject({ path: z.string() }),
        },
        variables: { ...variables, DB_URL: 'postgresql://db' },
      },
    );
    expect(started.name).toBe('my-shop');
    const plan = makePlan(started, new Map(), await lookAround(folder, variables, started));
    // What can't be protected yet goes on being named, until somebody gives the reason.
    expect(plan.stores.filter((store) => store.verdict === 'unexplained')).toHaveLength(2);
    expect(plan.stores.filter((store) => store.verdict === 'undeclared')).toEqual([]);
  });

  test('takes PGHOST and its like where there is no DATABASE_URL', async () => {
    const [seen] = await lookAround('/nonexistent', { PGHOST: '/run/postgresql', PGUSER: 'me' });
    expect(seen?.own?.fields.url).toBe('postgresql://me@/?host=%2Frun%2Fpostgresql');
  });
});
