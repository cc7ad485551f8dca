/**
 * The life of a mounted recovery: it comes back after whatever ended its mounts, is brought here while it is used, and
 * leaves its mounts to stand on its own, wherever that is cut.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CRASH_POINTS } from '#recovery';
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
  startHoldfast,
} from './site/command.ts';
import { crashAt } from './site/crash-at.ts';
import { openProtectedSite, type ProtectedSite } from './site/protected-site.ts';

type Store = { store: string; urlFile?: string; directory: string; isMounted?: true };
type Recovered = { id: string; status: string; stores: Store[]; hydration?: { state: string } };

const ROWS = 50_000;
const FILE_BYTES = 2 ** 20;

let site: ProtectedSite;
let place: Place;
let root: string;
let copy: Recovered;
let uploaded: Buffer;

const holdfast = (...words: string[]): Promise<Ended> =>
  runHoldfast(place, [...words, '--target', root]);

async function ask(...words: string[]): Promise<Recovered> {
  const { code, output, errors } = await holdfast(...words, '--json');
  expect(code, errors + output).toBe(0);
  return JSON.parse(output.trim().split('\n').at(-1) ?? '') as Recovered;
}

async function query<Row>(text: string): Promise<Row[]> {
  const url = await addressOf(copy.stores.find(({ store }) => store === 'numbers'));
  return (await askDatabase(url, text)) as Row[];
}

const directoryOf = (name: string) =>
  (copy.stores.find(({ store }) => store === name) as Store).directory;

async function idsOf(words: string): Promise<number[]> {
  const lines = await processesIn(site.folder);
  return lines.filter((line) => line.includes(words)).map((line) => Number.parseInt(line, 10));
}

async function kill(...ids: number[]): Promise<void> {
  expect(ids).not.toEqual([]);
  for (const id of ids) {
    try {
      process.kill(id, 'SIGKILL');
    } catch {
      // It went with one that was killed before.
    }
  }
  await eventually('them to be gone', async () => {
    const there = await Promise.all(ids.map((id) => fs.stat(`/proc/${id}/cwd`).catch(() => false)));
    return there.every((one) => one === false) ? true : undefined;
  });
}

/** All that was captured, and all that was written since. */
async function expectWhole(): Promise<void> {
  expect(await query('select count(*)::int as n, min(n), max(n) from numbers')).toEqual([
    { n: ROWS + 1, min: -1, max: ROWS },
  ]);
  expect(await fs.readFile(path.join(directoryOf('uploads'), 'one.bin'))).toEqual(uploaded);
  expect(await fs.readFile(path.join(directoryOf('uploads'), 'new'), 'utf8')).toBe('written here');
}

describe.runIf(process.getuid?.() === 0)('a mounted recovery', { timeout: 240_000 }, () => {
  beforeAll(async () => {
    site = await openProtectedSite(18);
    await site.server.sql(`insert into numbers select generate_series(1, ${ROWS})`);
    uploaded = randomBytes(FILE_BYTES);
    await fs.writeFile(path.join(site.uploads, 'one.bin'), uploaded);
    await site.captureFiles();
    await site.shipped();
    await site.leave();
    root = path.join(site.folder, 'recoveries');
    place = site.place;
  }, 120_000);
  afterAll(() => site?.remove());

  beforeEach(async () => {
    copy = await ask('recover', '--to', 'latest');
    await query('alter table numbers drop constraint numbers_pkey');
    await query('insert into numbers values (-1)');
    const written = await fs.open(path.join(directoryOf('uploads'), 'new'), 'w');
    await written.writeFile('written here');
    await written.sync();
    await written.close();
  });
  afterEach(async () => {
    expectCode(await holdfast('recovery', 'remove', copy.id, '--yes'), 0);
    expect(await fs.readdir(root)).toEqual([]);
    expect(await mountsIn(root)).toEqual([]);
    expect(await processesIn(root)).toEqual([]);
  });

  test('waits while its repository is away, and goes on when it is back', async () => {
    const repository = path.join(site.folder, 'repository');
    // What is asked for lies in the base, and nothing has read it yet.
    const question = 'select count(prosrc)::int as n from pg_proc';
    const waits = `select from pg_stat_activity where query like 'select count(prosrc)%'
      and wait_event = 'DataFileRead' and clock_timestamp() - query_start > interval '1.5s'`;
    await query(waits);
    await fs.rename(repository, `${repository}.away`);
    const asked = query<{ n: number }>(question);
    try {
      await eventually('it to wait', async () =>
        (await query(waits)).length > 0 ? true : undefined,
      );
      await query('insert into numbers values (-2)');
    } finally {
      await fs.rename(`${repository}.away`, repository);
    }
    expect((await asked)[0]?.n).toBeGreaterThan(1000);
    await query('delete from numbers where n = -2');
    await expectWhole();
  });

  test('comes back with all that was written when its service was killed', async () => {
    await kill(...(await idsOf('mount/service/main.ts')));
    expect((await holdfast('recovery', 'list')).output).toContain('mount lost');
    copy = await ask('recovery', 'resume');
    await expectWhole();
    const before = await idsOf('postgres');
    copy = await ask('recovery', 'resume', copy.id);
    expect(await idsOf('postgres')).toEqual(before);
  });

  test('comes back after an end of the host, of which only what is durable is left', async () => {
    const pages = ['numbers', 'uploads'].map((name) => path.join(root, copy.id, name, 'pages'));
    for (const folder of pages) {
      await eventually('what was replayed to be durable', async () =>
        (await fs.readdir(folder)).includes('settled') ? true : undefined,
      );
    }
    await kill(
      ...(await idsOf('holdfast-unmount')),
      ...(await idsOf('postgres')),
      ...(await idsOf('mount/service/main.ts')),
    );
    for (const folder of pages) {
      await fs.writeFile(path.join(folder, 'boot'), 'another');
      await fs.writeFile(path.join(folder, 'pages.now'), randomBytes(4096));
    }
    copy = await ask('recovery', 'resume', copy.id);
    await expectWhole();
  });

  test('is refused where the host ended before what was replayed was durable', async () => {
    await kill(...(await idsOf('postgres')), ...(await idsOf('mount/service/main.ts')));
    const pages = path.join(root, copy.id, 'numbers/pages');
    await fs.writeFile(path.join(pages, 'boot'), 'another');
    await fs.rm(path.join(pages, 'settled'), { force: true });
    const { code, errors } = await holdfast('recovery', 'resume', copy.id);
    expect(code).toBe(1);
    expect(errors).toContain('before what was written');
  });

  test('is brought here at a rate, held, and stands on its own after one restart', async () => {
    const paced = startHoldfast(place, ['recovery', 'hydrate', '--rate', '1MiB', '--target', root]);
    await eventually('it to begin', async () =>
      (await ask('recovery', 'open', copy.id)).hydration?.state === 'running' ? true : undefined,
    );
    const held = await ask('recovery', 'hydrate', copy.id, '--pause');
    expect(held.hydration?.state).toBe('paused');
    expectCode(await paced.ended, 0);
    expect(await mountsIn(root)).toHaveLength(2);
    const inUse = await fs.open(path.join(directoryOf('uploads'), 'new'), 'r');
    const left = await holdfast('recovery', 'hydrate', copy.id, '--rate', '1GiB');
    expectCode(left, 3);
    await inUse.close();
    copy = await ask('recovery', 'hydrate', copy.id);
    expect(await mountsIn(root)).toEqual([]);
    await eventually('the service to have ended by itself', async () =>
      (await idsOf('mount/service/main.ts')).length === 0 ? true : undefined,
    );
    await expectWhole();
    expectCode(await holdfast('recovery', 'hydrate', copy.id), 2);
  });

  test('killed at each step of leaving its mounts goes on from there', async () => {
    const paced = startHoldfast(place, ['recovery', 'hydrate', '--rate', '4KiB', '--target', root]);
    await eventually('it to begin', async () =>
      (await ask('recovery', 'open', copy.id)).hydration?.state === 'running' ? true : undefined,
    );
    await kill(...(await idsOf('mount/service/main.ts')));
    const lost = await paced.ended;
    expectCode(lost, 1);
    expect(lost.errors).toContain('lost its mounts');
    expect(lost.errors).toContain('holdfast recovery resume');
    copy = await ask('recovery', 'resume', copy.id);
    await hydrateOnly();
    for (const point of CRASH_POINTS.leave) {
      expect(await crashAt(place, root, copy.id, 'leave', point), point).toBe(true);
    }
    copy = await ask('recovery', 'resume', copy.id);
    expect(await mountsIn(root)).toEqual([]);
    await expectWhole();
  });

  test('that another command is at is changed by nobody else', async () => {
    const making = startHoldfast(place, ['recover', '--to', 'latest', '--target', root]);
    const other = await eventually(
      'it to have a state',
      async () => {
        const ids = (await fs.readdir(root)).filter((id) => id !== copy.id && !id.startsWith('.'));
        const [id] = ids;
        const text = await fs
          .readFile(path.join(root, id ?? '', 'recovery.json'), 'utf8')
          .catch(() => '');
        return text.includes('"recovering"') ? id : undefined;
      },
      1,
    );
    // It would be done before the other command has started.
    making.child.kill('SIGSTOP');
    const refused = await holdfast('recovery', 'remove', other, '--yes');
    making.child.kill('SIGCONT');
    expectCode(refused, 4);
    expect(refused.errors).toContain('is being made or changed by another process');
    expectCode(await making.ended, 0);
    expectCode(await holdfast('recovery', 'remove', other, '--yes'), 0);
  });
});

/** Asks its service to bring all of it here, and waits for that, without leaving the mounts. */
async function hydrateOnly(): Promise<void> {
  const { startHydration, loadRecovery } = await import('#recovery');
  await startHydration(await loadRecovery(root, copy.id), 2 ** 30);
  await eventually('all of it to be here', async () =>
    (await ask('recovery', 'open', copy.id)).hydration?.state === 'done' ? true : undefined,
  );
}
