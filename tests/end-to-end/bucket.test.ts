/**
 * An environment whose repository lies in a bucket, as holdfast.yaml declares it: locked and over TLS; behind a way
 * that is cut. Its credentials may only add, by the rights that `repo policy` prints and the server enforces.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sleepMs, systemClock } from '#base';
import {
  type S3TestRights,
  type S3TestServer,
  type S3TestUser,
  startS3TestServer,
} from '../../src/repository/storage/s3/test-server.ts';
import { ruinBucket, thiefOf } from '../../src/repository/storage/s3/test-thief.ts';
import { startHoldfast } from './command-line.ts';
import { addressOf } from './site/address.ts';
import { askDatabase } from './site/ask-database.ts';
import { askHoldfast, eventually, runHoldfast } from './site/command.ts';
import { type CutOff, openCutOff } from './site/cut-off.ts';
import { openProtectedSite, type ProtectedSite } from './site/protected-site.ts';

let folder: string;
let server: S3TestServer;
/** Who protects: may read and add, and remove nothing but locks. */
let protector: S3TestUser;
let env: Record<string, string>;

const holdfast = (...words: string[]) => startHoldfast(words, { env }).ended;

type Policies = Record<'appendOnly' | 'maintenance', S3TestRights['policy']>;

async function allowToAdd(bucket: string, place: string, ...lock: string[]): Promise<void> {
  const address = `s3:${server.endpoint}/${bucket}/${place}`;
  const asked = ['repo', 'policy', '--repo', address, '--offline', '--json', ...lock];
  const printed = await startHoldfast(asked).ended;
  const { appendOnly } = JSON.parse(printed.stdout) as Policies;
  await server.allow(bucket, [{ user: protector, policy: appendOnly }]);
}

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast bucket-'));
  await fs.chmod(folder, 0o755);
  server = await startS3TestServer();
  protector = await server.addUser();
  await server.makeBucket('hf-notes', { objectLock: true });
  await allowToAdd('hf-notes', 'production', '-o', 's3.lock=governance:2d');
  await fs.mkdir(path.join(folder, 'notes'));
  await fs.writeFile(path.join(folder, 'notes/one'), 'one'.repeat(10_000));
  await fs.writeFile(path.join(folder, 'secret'), protector.secretAccessKey);
  await fs.writeFile(
    path.join(folder, 'holdfast.yaml'),
    `apiVersion: holdfast/v1
name: notes
repository:
  url: s3:${server.tlsEndpoint}/hf-notes/production
  password: \${HOLDFAST_PASSWORD}
  s3:
    ca: ${server.caFile}
    credentials: {accessKeyId: "\${NOTES_KEY}", secretAccessKey: "\${file:secret}"}
  lock: 2d
  parity: 3%
stores:
  notes: {type: files, path: notes, protect: {every: 1h}}
`,
  );
  env = {
    HOLDFAST_STATE: path.join(folder, 'state'),
    XDG_CACHE_HOME: path.join(folder, 'cache'),
    HOLDFAST_PASSWORD: 'correct horse',
    NOTES_KEY: protector.accessKeyId,
  };
});

afterAll(async () => {
  await holdfast('down', '--purge', '--recoveries', '--yes');
  await server?.stop();
  await fs.rm(folder, { recursive: true, force: true });
});

type Recovered = { id: string; stores: { urlFile?: string }[] };

type Status = {
  maintenance: { check: { verdict: string; failing?: unknown }; findings: string[] };
};

test('it is protected, checked, locked, and comes back', { timeout: 240_000 }, async () => {
  const file = path.join(folder, 'holdfast.yaml');
  expect(await holdfast('up', '-d', '--wait', '--file', file)).toMatchObject({
    code: 0,
    stderr: '',
  });
  const deadlineMs = systemClock.monotonicMs() + 40_000;
  let status: Status;
  do {
    await sleepMs(200);
    status = JSON.parse((await holdfast('status', '--json')).stdout) as Status;
    expect(status.maintenance.check.failing).toBeUndefined();
  } while (
    status.maintenance.check.verdict === 'unknown' &&
    systemClock.monotonicMs() < deadlineMs
  );
  expect(status.maintenance).toMatchObject({ check: { verdict: 'pass' }, findings: [] });
  const listed = await holdfast('recover', '--to', 'latest', '--accept', 'notes', '--json');
  expect(listed.code, listed.stdout).toBe(0);
  const { stores } = JSON.parse(listed.stdout) as { stores: { directory: string }[] };
  const back = await fs.readFile(path.join(stores[0]?.directory ?? '', 'one'), 'utf8');
  expect(back).toBe('one'.repeat(10_000));
  const restic = ['--no-cache', '-r', `s3:${server.endpoint}/hf-notes/production`, 'check'];
  const options = {
    env: {
      ...process.env,
      AWS_ACCESS_KEY_ID: protector.accessKeyId,
      AWS_SECRET_ACCESS_KEY: protector.secretAccessKey,
      RESTIC_PASSWORD: 'correct horse',
    },
  };
  expect(execFileSync('restic', restic, { ...options, encoding: 'utf8' })).toContain('no errors');
});

describe.runIf(process.getuid?.() === 0)('a database that runs on a bucket', () => {
  let way: CutOff;
  let site: ProtectedSite;
  let root: string;
  let copy: Recovered;

  beforeAll(async () => {
    await server.makeBucket('hf-away');
    await allowToAdd('hf-away', 'site');
    way = await openCutOff(Number(new URL(server.endpoint).port));
    const bucket = { url: `s3:http://127.0.0.1:${way.port}/hf-away/site`, user: protector };
    site = await openProtectedSite(18, {
      bucket,
      async prepare(making) {
        await making.server.sql(
          'create table unread (filler text) with (autovacuum_enabled = off)',
          'insert into unread select repeat(md5(n::text), 20) from generate_series(1, 10000) n',
        );
      },
    });
    await site.server.sql('insert into numbers select generate_series(1, 50000)');
    await site.shipped();
    await site.leave();
    root = path.join(site.folder, 'recoveries');
    copy = await askHoldfast(site.place, [
      ...['recover', '--to', 'latest', '--store', 'numbers', '--target', root],
    ]);
  }, 120_000);
  afterAll(async () => {
    await runHoldfast(site.place, ['recovery', 'remove', copy.id, '--yes', '--target', root]);
    await site.remove();
    await way.close();
  });

  test('waits while that is cut off, and goes on when it is back', async () => {
    const url = await addressOf(copy.stores[0]);
    // Lies in the base, and nothing has read it yet.
    const question = 'select sum(length(filler))::int as n from unread';
    const waits = `select from pg_stat_activity where query like 'select sum(length%'
      and wait_event_type = 'IO' and clock_timestamp() - query_start > interval '1.5s'`;
    // Connected while it is there: who connects may have to read something first.
    const [asking, looking] = [await connect(url), await connect(url)];
    await looking.query(waits);
    await looking.query('insert into numbers values (-1)');
    await way.cut();
    const asked = asking.query(question);
    try {
      await eventually('it to wait', async () =>
        (await looking.query(waits)).rowCount === 0 ? undefined : true,
      );
      await looking.query('insert into numbers values (-2)');
    } finally {
      await way.mend();
    }
    expect((await asked).rows).toEqual([{ n: 10_000 * 32 * 20 }]);
    await Promise.all([asking.end(), looking.end()]);
    const found = await askDatabase(
      ...[url, 'checkpoint', 'create extension amcheck'],
      "select bt_index_check('numbers_pkey', true)",
      "select count(*)::int as n, array(select msg from verify_heapam('numbers')) as wrong from numbers",
    );
    expect(found).toEqual([{ n: 50_002, wrong: [] }]);
  }, 240_000);
});

describe.runIf(process.getuid?.() === 0)(
  "a database whose bucket was ruined with its owner's key",
  () => {
    let site: ProtectedSite;

    beforeAll(async () => {
      await server.makeBucket('hf-ruined', { objectLock: true });
      await allowToAdd('hf-ruined', 'site', '-o', 's3.lock=compliance:1d');
      const url = `s3:${server.endpoint}/hf-ruined/site`;
      site = await openProtectedSite(18, { bucket: { url, user: protector, locked: true } });
      await site.server.sql('insert into numbers select generate_series(1, 50000)');
      await site.shipped();
      await site.leave();
    }, 120_000);
    afterAll(() => site?.remove());

    test('comes back by rights that only add, to the last row that was acknowledged', async () => {
      const thief = thiefOf(server);
      expect(await ruinBucket(thief, 'hf-ruined')).toEqual({ destroyed: [], shortened: [] });
      thief.destroy();
      const { SITE_KEY, SITE_SECRET, SITE_PASSWORD } = site.environment;
      const protecting = {
        ...{ AWS_ACCESS_KEY_ID: SITE_KEY, AWS_SECRET_ACCESS_KEY: SITE_SECRET },
        ...{ HOLDFAST_PASSWORD: SITE_PASSWORD, HOLDFAST_REPOSITORY: site.repository.location },
      };
      const root = path.join(site.folder, 'recoveries');
      const recovery = ['recover', '--to', 'latest', '--store', 'numbers', '--target', root];
      expect((await runHoldfast(site.place, recovery)).code).not.toBe(0);
      const back = await startHoldfast(['repo', 'recover-versions'], { env: protecting }).ended;
      expect(back).toMatchObject({ code: 0 });
      const copy = await askHoldfast<Recovered>(site.place, recovery);
      const found = await askDatabase(
        await addressOf(copy.stores[0]),
        'select count(*)::int as n from numbers',
      );
      expect(found).toEqual([{ n: 50_000 }]);
      await runHoldfast(site.place, ['recovery', 'remove', copy.id, '--yes', '--target', root]);
    }, 240_000);
  },
);

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}
