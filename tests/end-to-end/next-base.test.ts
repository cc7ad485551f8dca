/** Bases that are made of the one before and the journal: production isn't asked, and what comes back is what it was. */
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { quietLogger, silent } from '#base';
import { type Environment, loadEnvironment } from '#environment';
import type { RecoveryState, When } from '#recovery';
import { type CaptureRecord, listCaptures, readCapture, removeCapture } from '#repository';
import { makeNextBase } from '../../src/app/protection/next-base.ts';
import {
  changeRecovery,
  chooseForEnvironment,
  recoverEnvironment,
} from '../../src/app/recovery/index.ts';
import { addressOf } from './site/address.ts';
import { askDatabase } from './site/ask-database.ts';
import { eventually, mountsIn, processesIn, runHoldfast } from './site/command.ts';
import { openProtectedSite, type ProtectedSite } from './site/protected-site.ts';

const SUM = `select md5(string_agg(o::text, ',' order by id)) as sum, count(*)::int as n from orders o`;

describe.runIf(process.getuid?.() === 0).each([15, 18] as const)(
  'bases of Postgres %i made off production',
  { timeout: 240_000 },
  (major) => {
    let site: ProtectedSite;
    let environment: Environment;
    let root: string;

    const production = (...statements: string[]) => site.server.sql(...statements);
    const basesSent = async () => (await site.server.log()).match(/BASE_BACKUP/g)?.length ?? 0;
    const place = () => ({
      ...{ environment, repository: site.repository, log: quietLogger, progress: silent },
      signal: new AbortController().signal,
    });
    const nextBase = async (): Promise<CaptureRecord | undefined> => {
      await site.shipped();
      const store = environment.stores.find(({ name }) => name === 'numbers');
      if (!store || !('own' in store)) throw new Error('numbers is not declared');
      return await makeNextBase({ ...place(), folder: path.join(root, 'passing') }, store);
    };
    const recover = async (when: When): Promise<RecoveryState> => {
      const choice = await chooseForEnvironment({
        ...{ environment, repository: site.repository, when, stores: ['numbers'] },
        spoolFolder: () => undefined,
      });
      const result = await recoverEnvironment({
        ...{ ...place(), choice, root, inPlace: false, full: false },
      });
      expect(result.problems).toEqual([]);
      return result.state;
    };
    const query = async (state: RecoveryState, text: string): Promise<unknown> =>
      await askDatabase(await addressOf(state.stores.numbers), text);
    const remove = async (state: RecoveryState) =>
      await changeRecovery('remove', { ...place(), state });

    beforeAll(async () => {
      site = await openProtectedSite(major, {
        settings: { log_replication_commands: 'on', checkpoint_timeout: '1h' },
        async prepare({ server }) {
          const fast = path.join(server.folder, 'fast');
          await fs.mkdir(fast, { mode: 0o700 });
          await fs.chown(fast, server.user.uid, server.user.gid);
          await server.sql(
            `create tablespace fast location '${fast}'`,
            'create table orders (id int primary key, note text)',
            "insert into orders select n, repeat('o', 500) || n from generate_series(1, 30000) n",
            'create table items (id int) tablespace fast',
            'insert into items select generate_series(1, 1000)',
          );
        },
      });
      root = path.join(site.folder, 'recoveries');
      await fs.mkdir(root);
      environment = await loadEnvironment({
        file: path.join(site.folder, 'holdfast.yaml'),
        variables: site.environment,
      });
    }, 120_000);
    afterAll(async () => {
      await site?.leave();
      await eventually('the mount service to have ended', async () =>
        (await processesIn(site.folder)).some((line) => line.includes('mount/service'))
          ? undefined
          : true,
      );
      await site?.remove();
    });

    test('are as good as one from production, twice over', async () => {
      const before = await basesSent();
      const late = path.join(site.server.folder, 'late');
      await fs.mkdir(late, { mode: 0o700 });
      await fs.chown(late, site.server.user.uid, site.server.user.gid);
      await production(
        "update orders set note = 'changed' where id % 1000 = 0",
        `create tablespace late location '${late}'`,
        'create table later (id int) tablespace late',
        'insert into later select generate_series(1, 5000)',
        'create index on orders (left(note, 3))',
        'checkpoint',
        'delete from orders where id <= 50',
      );
      const first = await nextBase();
      expect(first).toMatchObject({ kind: 'base', problemCount: 0 });
      // Far from all of it was stored anew.
      expect(first?.statistics.newBytes).toBeLessThan((first?.statistics.bytes ?? 0) / 2);
      const [then] = await production(SUM);
      const thenMs = Date.now();
      await eventually(
        'the clock to go on',
        async () => (Date.now() > thenMs + 50 ? true : undefined),
        5,
      );
      await production(
        'insert into orders select n, n::text from generate_series(30001, 31000) n',
        'truncate items',
        'vacuum full later',
        "alter system set work_mem = '9MB'",
        'select pg_reload_conf()',
        'checkpoint',
        'insert into items values (7)',
      );
      const second = await nextBase();
      expect(second?.facts.madeOf).toBe(first?.id);
      expect(await basesSent()).toBe(before);
      await production('insert into orders values (99999, $$last$$)');
      await site.shipped();

      const between = await recover({ kind: 'time', atMs: thenMs });
      expect(between.stores.numbers?.selection.capture).toBe(first?.id);
      expect(await query(between, SUM)).toEqual([then]);
      await remove(between);

      const latest = await recover({ kind: 'latest' });
      expect(latest.stores.numbers?.selection.capture).toBe(second?.id);
      expect(await query(latest, SUM)).toEqual(await production(SUM));
      expect(await query(latest, 'select * from items')).toEqual([{ id: 7 }]);
      expect(await query(latest, 'select count(*)::int as n from later')).toEqual([{ n: 5000 }]);
      // No WAL tells of it.
      expect(await query(latest, 'show work_mem')).toEqual([{ work_mem: '9MB' }]);
      await expectSound(latest);
      await remove(latest);
    });

    test.runIf(major === 18)('stand alone when all before them is forgotten', async () => {
      const holdfast = async (...words: string[]) => {
        const { code, output, errors } = await runHoldfast(inRepository(), words);
        expect(code, output + errors).toBe(0);
        return output;
      };
      const { repository } = site;
      const madeOffProduction = async () =>
        (await repository.snapshots.list({ paths: ['/postgres/numbers'] })).map(({ tags }) =>
          tags.some((tag) => tag.startsWith('made-of:')),
        );
      expect(await madeOffProduction()).toEqual([true, true, false]);
      const address = { environment: 'site', stage: 'production', store: 'numbers' };
      const [newest, ...before] = (await listCaptures(repository, address, ['base'])).reverse();
      expect(newest).toBeDefined();
      for (const entry of before) {
        const { snapshot } = await readCapture(repository, entry);
        await removeCapture(repository, entry);
        await repository.snapshots.remove(snapshot);
      }
      await holdfast('repo', 'prune', '--now');
      expect(await madeOffProduction()).toEqual([true]);
      await holdfast('repo', 'check', '--read-data');
      const { HOLDFAST_REPOSITORY, HOLDFAST_PASSWORD } = inRepository().env;
      const check = ['--no-cache', '-r', HOLDFAST_REPOSITORY, 'check', '--read-data'];
      const env = { ...process.env, RESTIC_PASSWORD: HOLDFAST_PASSWORD };
      expect(execFileSync('restic', check, { env, encoding: 'utf8' })).toContain('no errors');
      expect(await holdfast('prove', 'latest')).toContain('roven');
    });

    const inRepository = () => ({
      cwd: site.folder,
      env: {
        ...site.place.env,
        HOLDFAST_REPOSITORY: path.join(site.folder, 'repository'),
        HOLDFAST_PASSWORD: site.environment.SITE_PASSWORD ?? '',
      },
    });

    /** By the server's own tools: each page by its checksum, then tables and indexes against each other. */
    async function expectSound(state: RecoveryState): Promise<void> {
      await query(state, 'create extension amcheck');
      const checked = await query(
        state,
        `select count(*)::int as n from (
           select bt_index_check(c.oid, true) from pg_class c join pg_am a on a.oid = c.relam and a.amname = 'btree'
            where c.relkind = 'i' and c.relpersistence = 'p') indexes`,
      );
      expect(checked).toEqual([{ n: expect.any(Number) }]);
      const damaged = await query(
        state,
        `select c.relname, v.msg from pg_class c, lateral verify_heapam(c.oid) v
          where c.relkind in ('r', 't', 'm') and c.relpersistence = 'p'`,
      );
      expect(damaged).toEqual([]);
    }

    test.runIf(major === 15)(
      'killed anywhere leave nothing that the next one needs or keeps',
      async () => {
        await production('insert into items select generate_series(8, 100)', 'checkpoint');
        await site.shipped();
        for (const point of ['base/replaying', 'base/unmounted', 'capture/snapshot-stored']) {
          await killedAt(point);
          expect(await fs.readdir(path.join(root, 'passing'))).toHaveLength(1);
        }
        expect(await nextBase()).toMatchObject({ kind: 'base', problemCount: 0 });
        expect(await processesIn(path.join(root, 'passing'))).toEqual([]);
        expect(await nextBase(), 'without a checkpoint since').toBe(undefined);
      },
    );

    /** While it replays, or where it says that it is. */
    async function killedAt(point: string): Promise<void> {
      const folder = path.join(root, 'passing');
      const script = path.join(import.meta.dirname, 'site', 'base-and-crash.ts');
      const child = spawn(
        process.execPath,
        [script, path.join(site.folder, 'holdfast.yaml'), folder, 'numbers', point],
        { cwd: site.folder, env: { ...process.env, ...site.environment }, stdio: 'ignore' },
      );
      const ended = new Promise((resolve) =>
        child.once('close', (_code, signal) => resolve(signal)),
      );
      if (point === 'base/replaying') {
        const isReplaying = async () =>
          (await processesIn(folder)).some((line) => line.includes('postgres')) || undefined;
        await eventually('a server to replay', isReplaying, 5);
        child.kill('SIGKILL');
      }
      expect(await ended).toBe('SIGKILL');
    }

    test('leave nothing behind', async () => {
      expect(await fs.readdir(path.join(root, 'passing'))).toEqual([]);
      expect(await mountsIn(root)).toEqual([]);
      expect(await processesIn(path.join(root, 'passing'))).toEqual([]);
    });
  },
);
