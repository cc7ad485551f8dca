/**
 * Recovery beside production on the very same host: nothing of the copy reaches back, and putting it in production's
 * place survives a kill at any step.
 */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectSql, parseConnectionUrl } from '../../src/sources/postgres/connection/index.ts';
import type { TestServer } from '../../src/sources/postgres/test-server.ts';
import { expectCode } from './command-line.ts';
import { addressOf } from './site/address.ts';
import { askDatabase } from './site/ask-database.ts';
import {
  type Ended,
  eventually,
  mountsIn,
  type Place,
  processesIn,
  runHoldfast,
} from './site/command.ts';
import { crashAt } from './site/crash-at.ts';
import { openProtectedSite, type ProtectedSite } from './site/protected-site.ts';

const execute = promisify(execFile);

type Recovered = {
  id: string;
  status: string;
  folder: string;
  stores: { store: string; urlFile?: string; directory: string; bytes: number }[];
};

let site: ProtectedSite;
let place: Place;

const inSite = (...names: string[]) => path.join(site.folder, ...names);
const recoveries = () => inSite('recoveries');

function holdfast(words: string[], root = recoveries(), file = inSite('holdfast.yaml')) {
  return runHoldfast(place, [...words, '--target', root, '--file', file]);
}

async function recover(words: string[], root?: string): Promise<Recovered> {
  const { code, output, errors } = await holdfast(['recover', ...words, '--json'], root);
  expect(code, errors + output).toBe(0);
  return JSON.parse(output) as Recovered;
}

const numbersOf = ({ stores }: Recovered) => {
  const found = stores.find(({ store }) => store === 'numbers');
  if (!found) throw new Error('numbers was not recovered');
  return found;
};

/** Two databases, of which one subscribes to the other; a tablespace, an archive and logs outside of the data. */
async function reachOut({ server, folder }: { server: TestServer; folder: string }): Promise<void> {
  for (const name of ['tablespace', 'archive', 'logs']) {
    await fs.mkdir(path.join(folder, name), { mode: 0o700 });
    await fs.chown(path.join(folder, name), server.user.uid, server.user.gid);
  }
  await server.sql(
    `alter system set log_directory = '${folder}/logs'`,
    `alter system set archive_command = 'echo %f >> ${folder}/archive/names'`,
    'select pg_reload_conf()',
    `create tablespace fast location '${folder}/tablespace'`,
    'create table fast_numbers (n int) tablespace fast',
    'create publication everything for table numbers',
    "select pg_create_logical_replication_slot('to_stats', 'pgoutput')",
    'create database stats',
  );
  const stats = await connectSql(
    parseConnectionUrl(server.url('postgres', server.password, 'stats')),
  );
  await stats.query('create table numbers (n int primary key)');
  await stats.query(
    `create subscription to_stats connection 'host=127.0.0.1 port=${server.port} user=postgres password=${server.password} dbname=postgres'
       publication everything with (create_slot = false, slot_name = 'to_stats')`,
  );
  await stats.close();
}

/** Like a cron job: does its work by the clock, unless it is told to keep still. */
const SERVICES = `services:
  mailer:
    run: 'while :; do echo "\${HOLDFAST_MUTED:-sent}" >> "$OUTBOX"; sleep 0.1; done'
    needs: [numbers]
    env: {OUTBOX: "\${MAILER_OUTBOX}"}
    sideEffects: [email]
    control: {stop: "true", start: "true"}
`;

beforeAll(async () => {
  site = await openProtectedSite(18, {
    settings: { wal_level: 'logical', logging_collector: 'on', archive_mode: 'on' },
    prepare: reachOut,
    declared: SERVICES,
  });
  await site.server.sql('insert into numbers select generate_series(1, 500)');
  await site.shipped();
  await fs.writeFile(path.join(site.uploads, 'one.txt'), 'one');
  await site.captureFiles();
  place = {
    cwd: site.folder,
    env: { ...site.environment, MAILER_OUTBOX: inSite('outbox'), HOLDFAST_STATE: inSite('none') },
  };
}, 120_000);

afterAll(() => site?.remove());

describe('a copy on the host of production', { timeout: 240_000 }, () => {
  let copy: Recovered;

  test('touches nothing outside of itself while it works', async () => {
    const { server } = site;
    await eventually('the subscriber to stream', async () => {
      const [slot] = await server.sql(
        "select active from pg_replication_slots where slot_name = 'to_stats'",
      );
      return slot?.active === true ? true : undefined;
    });
    await server.sql('checkpoint');
    const outside = async () => ({
      tablespace: (await fs.readdir(inSite('tablespace'), { recursive: true })).sort(),
      logs: await fs.readdir(inSite('logs')),
      archive: await fs.readFile(inSite('archive', 'names'), 'utf8').catch(() => ''),
      subscriber: await server.sql(
        "select active_pid from pg_replication_slots where slot_name = 'to_stats'",
      ),
      settings: await fs.readFile(path.join(server.dataDirectory, 'postgresql.auto.conf'), 'utf8'),
    });
    const before = await outside();
    copy = await recover(['--to', 'latest']);
    const url = await addressOf(numbersOf(copy));
    await askDatabase(
      url,
      'insert into fast_numbers select generate_series(1, 1000)',
      'insert into numbers values (-1)',
      'select pg_switch_wal()',
      'checkpoint',
      'drop table fast_numbers',
    );
    expect(
      await askDatabase(
        url,
        "select count(*)::int as n from pg_stat_activity where backend_type like 'logical replication%'",
      ),
    ).toEqual([{ n: 0 }]);
    expect(await outside()).toEqual(before);
    expect(await server.sql('select min(n) as n from numbers')).toEqual([{ n: 1 }]);
  });

  test('keeps the side effects of services still', async () => {
    const lines = async () =>
      (await fs.readFile(inSite('outbox'), 'utf8').catch(() => '')).split('\n').filter(Boolean);
    await eventually('the mailer to turn', async () =>
      (await lines()).length > 2 ? true : undefined,
    );
    expect(new Set(await lines())).toEqual(new Set(['email']));
  });

  test('goes without a trace', async () => {
    expectCode(await holdfast(['recovery', 'remove', copy.id, '--yes']), 0);
    expect(await processesIn(copy.folder)).toEqual([]);
    expect(await fs.readdir(recoveries())).toEqual([]);
  });

  test('takes no place of a production that nobody can stop', async () => {
    const text = await fs.readFile(inSite('holdfast.yaml'), 'utf8');
    const file = inSite('without-control.yaml');
    await fs.writeFile(file, text.replace(/^ {4}control: .*\n/m, ''));
    const refused = await holdfast(
      ['recover', '--to', 'latest', '--in-place', '--yes'],
      recoveries(),
      file,
    );
    expectCode(refused, 2);
    expect(refused.errors).toContain('numbers has no `control: {stop, start}`');
    expect(await fs.readdir(recoveries())).toEqual([]);
  });

  test('takes no place of a production that did not stop when it was told to', async () => {
    copy = await recover(['--to', 'latest']);
    const refused = await holdfast(['recovery', 'promote', copy.id, '--yes']);
    expectCode(refused, 4);
    expect(refused.errors).toContain(`numbers is still in use at ${site.server.dataDirectory}`);
    expect(await site.server.sql('select max(n) as n from numbers')).toEqual([{ n: 500 }]);
    expect(await fs.readdir(path.dirname(site.server.dataDirectory))).not.toContain(
      `data.replaced-${copy.id}`,
    );
    await site.server.stop();
    expectCode(await holdfast(['recovery', 'undo', copy.id, '--yes']), 0);
    expectCode(await holdfast(['recovery', 'remove', copy.id, '--yes']), 0);
    await site.server.start();
  });
});

/** Where most is at stake, with a real database; all of them are passed beside the code and in a campaign. */
const SWITCH_POINTS = {
  promote: ['switch/copy-stopped', 'switch/production-aside', 'switch/copy-in-place'],
  undo: ['undo/copy-back', 'undo/started'],
} as const;
const MOVE_POINTS = ['move/left', 'move/arrived'] as const;

/** Two places for copies: on the file system of production, and on another one. */
describe.each(['same', 'other'])(
  'a switch on the %s file system',
  { timeout: 240_000 },
  (where) => {
    let root: string;
    let copy: Recovered;

    beforeAll(async () => {
      root = where === 'same' ? recoveries() : await fs.mkdtemp('/dev/shm/holdfast-other-');
      if (where === 'other') await fs.chmod(root, 0o711);
      await site.server.start();
      copy = await recover(['--to', 'latest'], root);
      await askDatabase(await addressOf(numbersOf(copy)), 'insert into numbers values (501)');
      await site.server.stop();
    });
    afterAll(async () => {
      if (where === 'other') await fs.rm(root, { recursive: true, force: true });
    });

    const status = async () => {
      const { output } = await holdfast(['recovery', 'list', '--json'], root);
      const { recoveries: all } = JSON.parse(output) as { recoveries: Recovered[] };
      return all.find(({ id }) => id === copy.id)?.status;
    };
    /** Over two file systems, what moves is copied: steps of that, instead of those around it. */
    const cutAtEach = async (change: 'promote' | 'undo', meanwhile: string) => {
      for (const point of where === 'same' ? SWITCH_POINTS[change] : MOVE_POINTS) {
        expect(await crashAt(place, root, copy.id, change, point), point).toBe(true);
        expect(await status()).toBe(meanwhile);
      }
    };
    const production = async () => {
      await site.server.start();
      const rows = await site.server.sql('select max(n) as n from numbers');
      await site.server.stop();
      return rows[0]?.n;
    };

    test('is gone on with after a kill at any step', async () => {
      await cutAtEach('promote', 'promoting');
      const removed: Ended = await holdfast(['recovery', 'remove', copy.id, '--yes'], root);
      expectCode(removed, 2);
      expect(await holdfast(['recovery', 'promote', copy.id, '--yes'], root)).toMatchObject({
        code: 0,
      });
      expect(await status()).toBe('promoted');
      expect(await production()).toBe(501);
      expect(await fs.readFile(path.join(site.uploads, 'one.txt'), 'utf8')).toBe('one');
    });

    test('so is taking it back', async () => {
      await cutAtEach('undo', 'undoing');
      expect(await holdfast(['recovery', 'undo', copy.id, '--yes'], root)).toMatchObject({
        code: 0,
      });
      expect(await production()).toBe(500);
      expect(await holdfast(['recovery', 'remove', copy.id, '--yes'], root)).toMatchObject({
        code: 0,
      });
      const beside = await fs.readdir(path.dirname(site.server.dataDirectory));
      expect(beside.filter((name) => name.startsWith('data'))).toEqual(['data']);
      expect(await processesIn(root)).toEqual([]);
    });
  },
);

describe('a full disk', { timeout: 240_000 }, () => {
  let disk: string;
  beforeAll(async () => {
    disk = await fs.mkdtemp('/dev/shm/holdfast-disk-');
  });
  afterAll(async () => {
    await execute('umount', [disk]).catch(() => {
      // Never mounted: the test has told.
    });
    await fs.rm(disk, { recursive: true, force: true });
  });

  const mounted = async (size: number) => {
    await execute('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=711`, 'tmpfs', disk]);
  };
  const neededBytes = async () =>
    numbersOf(await recover(['--to', 'latest', '--store', 'numbers', '--dry-run'])).bytes;
  const recoverThere = (...words: string[]) =>
    holdfast(['recover', '--to', 'latest', '--store', 'numbers', ...words], disk);

  /** It is told in words, and what was made goes without a trace. */
  async function expectToldAndCleared(met: Ended): Promise<void> {
    expect(met.code, met.output).toBe(1);
    expect(met.errors).toMatch(/no space left/i);
    expect(met.errors).not.toMatch(/^\s+at |node:internal/m);
    const { output } = await holdfast(['recovery', 'list', '--json'], disk);
    const [failed] = (JSON.parse(output) as { recoveries: Recovered[] }).recoveries;
    expect(failed?.status).toBe('failed');
    expect(await processesIn(disk)).toEqual([]);
    expect(await mountsIn(disk)).toEqual([]);
    expect(await holdfast(['recovery', 'remove', failed?.id ?? '', '--yes'], disk)).toMatchObject({
      code: 0,
    });
    expect(await fs.readdir(disk)).toEqual([]);
    await execute('umount', [disk]);
  }

  test('is refused where it is seen before, told where it is met, and cleaned up after', async () => {
    const bytes = await neededBytes();
    await mounted(bytes - 4 * 2 ** 20);
    const seen = await recoverThere('--full');
    expectCode(seen, 1);
    expect(seen.errors).toMatch(/free and the recovery needs/);
    expect(await fs.readdir(disk)).toEqual([]);
    await execute('umount', [disk]);

    await mounted(bytes + 6 * 2 ** 20);
    await expectToldAndCleared(await recoverThere('--full'));
  });

  test('is told by what is mounted as well, which needs no room before', async () => {
    await mounted(8 * 2 ** 20);
    await expectToldAndCleared(await recoverThere());
  });

  test('leaves a copy as it is when not all of it can be brought here or written', async () => {
    await mounted((await neededBytes()) + 200 * 2 ** 20);
    const copy = await recover(['--to', 'latest', '--store', 'numbers'], disk);
    const ballast = path.join(disk, 'ballast');
    const { bavail, bsize } = await fs.statfs(disk);
    await fs.writeFile(ballast, Buffer.alloc(bavail * bsize - 2 ** 20));
    const promoted = await holdfast(['recovery', 'promote', copy.id, '--yes'], disk);
    expectCode(promoted, 1);
    expect(promoted.errors).toContain('no space left');
    expect(promoted.errors).toContain('goes on where it stopped');
    const url = await addressOf(numbersOf(copy));
    await expect(
      askDatabase(url, 'create table filler as select generate_series(1, 1000000) as n'),
    ).rejects.toThrow(/No space left on device|terminating connection|Connection terminated/);
    await fs.rm(ballast);
    // Where it could write no WAL it ends, or starts anew by itself.
    expectCode(await holdfast(['recovery', 'resume', copy.id], disk), 0);
    const answer = await eventually('it to answer', () =>
      askDatabase(url, 'select max(n) as n from numbers').catch(() => undefined),
    );
    expect(answer).toEqual([{ n: 500 }]);
    await askDatabase(url, 'create table filler as select generate_series(1, 1000) as n');
    expect(await holdfast(['recovery', 'remove', copy.id, '--yes'], disk)).toMatchObject({
      code: 0,
    });
    expect(await fs.readdir(disk)).toEqual([]);
  });
});
