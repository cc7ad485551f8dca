/** No room left where a mounted recovery lies: who needs it is told, nothing else comes to harm, and it goes on with room. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canMakeDisks, SmallDisk } from '../chaos/small-disk.ts';
import { expectCode } from './command-line.ts';
import { addressOf } from './site/address.ts';
import { askDatabase } from './site/ask-database.ts';
import { askHoldfast, eventually, runHoldfast } from './site/command.ts';
import { openProtectedSite, type ProtectedSite } from './site/protected-site.ts';

type Recovered = { id: string; stores: { urlFile?: string; directory: string }[] };

const ROWS = 4000;
const GROWS = `insert into grown select n, repeat('g', 1000) from generate_series(1, ${ROWS}) n`;
const DISK_FULL = { code: '53100', message: expect.stringContaining('No space left on device') };

describe.runIf(canMakeDisks()).each([15, 18] as const)(
  'a recovery of Postgres %i on a full disk',
  { timeout: 240_000 },
  (major) => {
    let site: ProtectedSite;
    let disk: SmallDisk;

    const recover = (root: string): Promise<Recovered> =>
      askHoldfast(site.place, [
        ...['recover', '--to', 'latest', '--store', 'numbers', '--target', root],
      ]);
    const holdfast = async (...words: string[]) =>
      expectCode(await runHoldfast(site.place, words), 0);
    const remove = (root: string, { id }: Recovered) =>
      holdfast('recovery', 'remove', id, '--yes', '--target', root);
    const logOf = async ({ stores }: Recovered) =>
      await fs.readFile(path.join(stores[0]?.directory ?? '', '../scratch/server.log'), 'utf8');
    const query = async ({ stores }: Recovered, ...statements: string[]) =>
      await askDatabase(await addressOf(stores[0]), ...statements);

    beforeAll(async () => {
      disk = new SmallDisk(256);
      await fs.chmod(disk.folder, 0o711);
      site = await openProtectedSite(major);
      await site.server.sql(`insert into numbers select generate_series(1, ${ROWS})`);
      await site.shipped();
      await site.leave();
    }, 120_000);
    afterAll(async () => {
      await site?.remove();
      disk?.close();
    });

    test('says so to the session that needs room, and goes on when there is some', async () => {
      const small = disk.place('recoveries');
      const full = await recover(small);
      await query(
        ...[full, 'create extension amcheck'],
        'create table grown (n int primary key, filler text)',
        // From here on its WAL needs no new room.
        ...['insert into grown values (0)', 'select pg_switch_wal()', 'checkpoint'],
      );
      disk.leave(2 ** 20);
      await expect(query(full, GROWS)).rejects.toMatchObject(DISK_FULL);
      expect(await query(full, 'select count(*)::int as n from numbers')).toEqual([{ n: ROWS }]);
      expect(await logOf(full)).not.toContain('PANIC');
      if (major === 15) await expectOtherLives();
      else await endByCheckpoint(full);

      disk.giveBack();
      await holdfast('recovery', 'resume', full.id, '--target', small);
      await eventually('it to answer', () => query(full, 'select 1').catch(() => undefined));
      await query(full, GROWS, 'checkpoint', "select bt_index_check('grown_pkey', true)");
      expect(await query(full, 'select count(*)::int as n from grown')).toEqual([{ n: ROWS + 1 }]);
      expect(await query(full, "select * from verify_heapam('grown')")).toEqual([]);
      if (major === 15) await expectWholePages(full);
      await remove(small, full);
    });

    /** Served by the same process, elsewhere. */
    async function expectOtherLives(): Promise<void> {
      const root = path.join(site.folder, 'recoveries');
      const other = await recover(root);
      await query(other, 'create table grown (n int, filler text)', GROWS, 'checkpoint');
      await remove(root, other);
    }

    /** As on any file system: a checkpoint can't note what it has to, and the server ends and comes back. */
    async function endByCheckpoint(full: Recovered): Promise<void> {
      await expect(query(full, 'checkpoint')).rejects.toThrow();
    }

    /** Each page of it by its checksum, once the server has ended. */
    async function expectWholePages({ stores }: Recovered): Promise<void> {
      const directory = stores[0]?.directory ?? '';
      const lock = path.join(directory, 'postmaster.pid');
      process.kill(Number.parseInt(await fs.readFile(lock, 'utf8'), 10), 'SIGINT');
      await eventually('the server to end', async () =>
        (await fs.stat(lock).catch(() => undefined)) ? undefined : true,
      );
      const checksums = path.join(site.server.binaries, 'pg_checksums');
      const { status, stdout, stderr } = spawnSync(checksums, ['--check', '-D', directory], {
        encoding: 'utf8',
      });
      expect(status, stdout + stderr).toBe(0);
    }
  },
);
