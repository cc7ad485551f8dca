/**
 * Recoveries whose data comes as it is touched: whatever is killed while they are made or live, `recovery remove` leaves
 * no mount point, no folder and no process.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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
import { openProtectedSite, type ProtectedSite } from './site/protected-site.ts';

type Recovered = { id: string; status: string; stores: { store: string; urlFile?: string }[] };
type Noted = { id: string; status: string; phases: unknown[]; stores: Record<string, object> };

let site: ProtectedSite;
let place: Place;
let root: string;

const holdfast = (...words: string[]): Promise<Ended> =>
  runHoldfast(place, [...words, '--target', root]);

async function recover(): Promise<Recovered> {
  const { code, output, errors } = await holdfast('recover', '--to', 'latest', '--json');
  expect(code, errors + output).toBe(0);
  return JSON.parse(output) as Recovered;
}

async function noted(): Promise<Noted | undefined> {
  const [id] = await fs.readdir(root).catch(() => []);
  const text = await fs
    .readFile(path.join(root, id ?? '', 'recovery.json'), 'utf8')
    .catch(() => '');
  return text === '' ? undefined : (JSON.parse(text) as Noted);
}

/** Ids of the processes of this site whose command line holds this. */
async function idsOf(words: string): Promise<number[]> {
  const lines = await processesIn(site.folder);
  return lines.filter((line) => line.includes(words)).map((line) => Number.parseInt(line, 10));
}

const services = () => idsOf('mount/service/main.ts');

async function kill(...ids: number[]): Promise<void> {
  expect(ids).not.toEqual([]);
  for (const id of ids) process.kill(id, 'SIGKILL');
  await eventually('them to be gone', async () => {
    const there = await Promise.all(ids.map((id) => fs.stat(`/proc/${id}/cwd`).catch(() => false)));
    return there.every((one) => one === false) ? true : undefined;
  });
}

async function takeAway(id: string): Promise<void> {
  expect(await holdfast('recovery', 'remove', id, '--yes')).toMatchObject({ code: 0, errors: '' });
  expect(await fs.readdir(root)).toEqual([]);
  expect(await mountsIn(root)).toEqual([]);
  expect(await processesIn(root)).toEqual([]);
}

const numbersOf = async ({ stores }: Recovered): Promise<unknown> => {
  const url = await addressOf(stores.find(({ store }) => store === 'numbers'));
  return await askDatabase(url, 'select count(*)::int as n from numbers');
};

describe.runIf(process.getuid?.() === 0)('a mounted recovery', { timeout: 240_000 }, () => {
  beforeAll(async () => {
    site = await openProtectedSite(18);
    await site.server.sql('insert into numbers select generate_series(1, 100000)');
    await fs.writeFile(path.join(site.uploads, 'one.bin'), randomBytes(2 ** 20));
    await site.captureFiles();
    await site.shipped();
    await site.leave();
    root = path.join(site.folder, 'recoveries');
    place = site.place;
  }, 120_000);
  afterAll(async () => {
    // Told to; by itself it would wait a while for more to mount.
    for (const id of await services()) process.kill(id, 'SIGTERM');
    await eventually('the service to have ended', async () =>
      (await services()).length === 0 ? true : undefined,
    );
    await site?.remove();
  });

  test('goes with everything that served it', async () => {
    const copy = await recover();
    expect(await mountsIn(root)).toHaveLength(2);
    expect(await numbersOf(copy)).toEqual([{ n: 100_000 }]);
    expect(await services()).toHaveLength(1);
    await takeAway(copy.id);
  });

  test('whose maker was killed while it was mounted can be removed', async () => {
    const making = startHoldfast(place, ['recover', '--to', 'latest', '--target', root]);
    const { id } = await eventually(
      'a store to be mounted',
      async () => {
        const found = await noted();
        return found && 'mounted' in (found.stores.uploads ?? {}) ? found : undefined;
      },
      1,
    );
    making.child.kill('SIGKILL');
    await making.ended;
    await takeAway(id);
  });

  test('whose service was killed while its WAL was replayed fails in words', async () => {
    const making = startHoldfast(place, ['recover', '--to', 'latest', '--target', root]);
    const { id } = await eventually(
      'the replay to begin',
      async () => {
        const found = await noted();
        if (found?.phases.length !== 1) return undefined;
        return (await idsOf('postgres')).length > 0 ? found : undefined;
      },
      5,
    );
    await kill(...(await services()));
    const { code, errors } = await making.ended;
    expect(code, errors).toBe(1);
    expect(errors).toMatch(/^✗ /);
    expect(errors).not.toMatch(/^\s+at |node:internal/m);
    expect((await noted())?.status).toBe('failed');
    expect(await mountsIn(root)).toEqual([]);
    expect(await processesIn(root)).toEqual([]);
    await takeAway(id);
  });

  test.each([
    ['its service', () => services()],
    [
      'its service and what was to unmount it',
      async () => [...(await idsOf('holdfast-unmount')), ...(await services())],
    ],
  ] as const)('that lost %s takes no place, and can be removed', async (_, victims) => {
    const copy = await recover();
    await kill(...(await victims()));
    const promoted = await holdfast('recovery', 'promote', copy.id, '--yes');
    expectCode(promoted, 5);
    expect(promoted.errors).toContain('nothing of ours is mounted');
    expect(promoted.errors).toContain('`holdfast recovery resume` mounts it again');
    expect((await noted())?.status).toBe('ready');
    await takeAway(copy.id);
  });
});
