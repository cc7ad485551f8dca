/** Ctrl-C at any time, ports taken, two at once: nothing is left that the next start doesn't take over. */
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../../src/sources/postgres/test-server.ts';
import { expectCode } from './command-line.ts';
import {
  askHoldfast,
  eventually,
  mountsIn,
  type Place,
  processesIn,
  type Running,
  runHoldfast,
  startHoldfast,
} from './site/command.ts';
import { crashAt } from './site/crash-at.ts';
import { openProtectedSite, type ProtectedSite } from './site/protected-site.ts';

type RecoveryFile = {
  id: string;
  status: string;
  phases: { phase: string }[];
  isUnsettled?: true;
};

async function readRecovery(root: string): Promise<RecoveryFile | undefined> {
  const [id] = await fs.readdir(root).catch(() => []);
  if (id === undefined) return undefined;
  const text = await fs.readFile(path.join(root, id, 'recovery.json'), 'utf8').catch(() => '');
  return text === '' ? undefined : (JSON.parse(text) as RecoveryFile);
}

const isThere = (file: string) =>
  fs.access(file).then(
    () => true,
    () => false,
  );

describe('Ctrl-C while recovering', { timeout: 240_000 }, () => {
  let site: ProtectedSite;
  let place: Place;
  let root: string;

  beforeAll(async () => {
    site = await openProtectedSite(18);
    for (let at = 0; at < 8; at += 1) {
      await fs.writeFile(path.join(site.uploads, `${at}.bin`), randomBytes(8 * 2 ** 20));
    }
    await site.captureFiles();
    await site.server.sql('insert into numbers select generate_series(1, 600000)');
    await site.shipped();
    await site.leave();
    root = path.join(site.folder, 'recoveries');
    place = site.place;
  }, 120_000);
  afterAll(() => site?.remove());

  const begin = () => startHoldfast(place, ['recover', '--to', 'latest', '--target', root]);

  const inData = (found: RecoveryFile) =>
    found.phases.length === 0 && isThere(path.join(root, found.id, 'uploads/data'));
  const inReplay = (found: RecoveryFile) =>
    found.phases.length === 1 && isThere(path.join(root, found.id, 'numbers/data/postmaster.pid'));

  /** Waits for the moment; fails where the command ended before. */
  async function reaching(
    moment: (found: RecoveryFile) => false | Promise<boolean>,
    running: Running,
  ): Promise<RecoveryFile> {
    return eventually(
      'the moment to interrupt',
      async () => {
        if (running.child.exitCode !== null) throw new Error(`too late: ${running.said()}`);
        const found = await readRecovery(root);
        return found && (await moment(found)) ? found : undefined;
      },
      5,
    );
  }

  async function takeAway(id: string): Promise<void> {
    const words = ['recovery', 'remove', id, '--yes', '--target', root];
    expect(await runHoldfast(place, words)).toMatchObject({ code: 0, errors: '' });
    expect(await fs.readdir(root)).toEqual([]);
    expect(await mountsIn(root)).toEqual([]);
    expect(await processesIn(root)).toEqual([]);
  }

  test.each([
    ['data is written', inData],
    ['WAL is replayed', inReplay],
  ] as const)('while %s leaves no process, and what it made can be removed', async (_, moment) => {
    const running = begin();
    const { id } = await reaching(moment, running);
    running.child.kill('SIGINT');
    const { code, errors } = await running.ended;
    expect(code, errors).toBe(130);
    expect(errors).toContain('interrupted');
    expect((await readRecovery(root))?.status).toBe('failed');
    expect(await mountsIn(root)).toEqual([]);
    expect(await processesIn(root)).toEqual([]);
    await takeAway(id);
  });

  test.each([
    ['a second Ctrl-C', 'SIGINT'],
    ['kill -9', 'SIGKILL'],
  ] as const)('%s ends it at once, and what it made can be removed', async (_, signal) => {
    const running = begin();
    const { id } = await reaching(inReplay, running);
    running.child.kill(signal);
    running.child.kill(signal);
    const { code } = await running.ended;
    expect(code).toBe(signal === 'SIGINT' ? 130 : null);
    await takeAway(id);
  });
});

describe('Ctrl-C and collisions of a control plane', { timeout: 240_000 }, () => {
  let folder: string;
  let server: TestServer;
  let place: Place;

  const state = (...names: string[]) => path.join(folder, 'state', ...names);
  const holdfast = (...words: string[]) => runHoldfast(place, words);
  const slots = () => server.sql('select slot_name from pg_replication_slots');
  const met = () =>
    eventually('all objectives met', async () =>
      (await holdfast('status')).code === 0 ? true : undefined,
    );

  beforeAll(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-interrupts-'));
    await fs.chmod(folder, 0o755);
    server = await startTestServer({ major: 18 });
    await server.sql('create table numbers (n int primary key)');
    place = {
      cwd: folder,
      env: {
        HOLDFAST_STATE: state(),
        NUMBERS_URL: server.url(),
        REPOSITORY_PASSWORD: 'correct horse',
      },
    };
    await fs.writeFile(
      path.join(folder, 'holdfast.yaml'),
      `apiVersion: holdfast/v1
name: site
stage: production
repository: {url: "${folder}/repository", password: "\${REPOSITORY_PASSWORD}"}
objectives: {rpo: 10s}
stores:
  numbers: {type: postgres, url: "\${NUMBERS_URL}", protect: continuous}
`,
    );
  }, 120_000);
  afterAll(async () => {
    await holdfast('down', '--purge', '--yes');
    await server?.remove();
    await fs.rm(folder, { recursive: true, force: true });
  });

  test('in order at the first: server and catalog end, the slot is kept', async () => {
    const up = startHoldfast(place, ['up']);
    await eventually('it to run', async () => (up.said().includes('Running.') ? true : undefined));
    await met();
    if (process.getuid?.() === 0) await isReadyToMount();
    up.child.kill('SIGINT');
    const { code, output, errors } = await up.ended;
    expect(errors).toBe('');
    expect(code).toBe(0);
    expect(output).toContain('goes on at the next start: holdfast up');
    expect(await processesIn(state())).toEqual([]);
    expect(await isThere(state('server.json'))).toBe(false);
    expect(await slots()).toHaveLength(1);
    const [{ active } = { active: true }] = await server.sql(
      'select active from pg_replication_slots',
    );
    expect(active).toBe(false);
  });

  test('at once at the second, and the next start takes over', async () => {
    const up = startHoldfast(place, ['up']);
    await eventually('it to run', async () => (up.said().includes('Running.') ? true : undefined));
    up.child.kill('SIGINT');
    up.child.kill('SIGINT');
    await up.ended;
    await server.sql('insert into numbers values (1)');
    const again = await holdfast('up', '--detach', '--wait');
    expect(again).toMatchObject({ code: 0, errors: '' });
    await met();
    type Status = { stores: { gaps: unknown[]; captures: number; windows: unknown[] }[] };
    const { stores } = await askHoldfast<Status>(place, ['status']);
    expect(stores[0]).toMatchObject({ gaps: [], captures: 1 });
    expect(stores[0]?.windows).toHaveLength(1);
    const catalogs = (await processesIn(state('catalog'))).filter((line) =>
      /^\d+ \S+\/postgres -D /.test(line),
    );
    expect(catalogs).toHaveLength(1);
  });

  test('what a control plane recovers goes on when the one who asked has gone', async () => {
    const asking = startHoldfast(place, ['recover', '--to', 'latest']);
    const { id } = await eventually('it to begin', () => readRecovery(state('recoveries')), 5);
    asking.child.kill('SIGINT');
    const { code, errors } = await asking.ended;
    expect(code, errors).toBe(130);
    await eventually('it to be ready', async () =>
      (await readRecovery(state('recoveries')))?.status === 'ready' ? true : undefined,
    );
    await eventually('what it replayed to be written out', async () =>
      (await readRecovery(state('recoveries')))?.isUnsettled ? undefined : true,
    );
    expect(await isThere(state('recoveries', id, 'numbers', 'scratch', 'wal'))).toBe(false);
    if (process.getuid?.() === 0) await comesBackByItself(id);
    expectCode(await holdfast('recovery', 'remove', id, '--yes'), 0);
    expect(await processesIn(state('recoveries'))).toEqual([]);
  });

  test('what its end cut in recoveries is given up, or goes on, when it runs again', async () => {
    const made = await askHoldfast<{ id: string }>(place, ['recover', '--to', 'latest']);
    const asking = startHoldfast(place, ['recover', '--to', 'latest']);
    const cut = await eventually(
      'another to be under way',
      async () => {
        const ids = await fs.readdir(state('recoveries'));
        const id = ids.find((name) => name.startsWith('r') && name !== made.id);
        if (id === undefined) return undefined;
        return (await isThere(state('recoveries', id, 'numbers'))) ? id : undefined;
      },
      5,
    );
    const { pid } = JSON.parse(await fs.readFile(state('server.json'), 'utf8')) as { pid: number };
    process.kill(pid, 'SIGKILL');
    expect((await asking.ended).code).not.toBe(0);
    const root = state('recoveries');
    expect(await crashAt(place, root, made.id, 'remove', 'remove/unmounted')).toBe(true);
    expect(await holdfast('up', '--detach', '--wait')).toMatchObject({ code: 0, errors: '' });
    await eventually('both to be settled', async () => {
      const { output } = await holdfast('recovery', 'list', '--json');
      const all = (JSON.parse(output) as { recoveries: RecoveryFile[] }).recoveries;
      const [first] = all;
      return all.length === 1 && first?.id === cut && first.status === 'failed' ? true : undefined;
    });
    await eventually('nothing to be left of it', async () =>
      (await processesIn(root)).length + (await mountsIn(root)).length === 0 ? true : undefined,
    );
    expectCode(await holdfast('recovery', 'remove', cut, '--yes'), 0);
    expect(await fs.readdir(root)).toEqual([]);
  });

  const serving = async () =>
    (await processesIn(state())).filter((line) => line.includes('mount/service/main.ts'));

  async function isServedAnewWhenKilled(): Promise<void> {
    const [before = ''] = await serving();
    process.kill(Number.parseInt(before, 10), 'SIGKILL');
    await eventually('another to serve', async () => {
      const [now] = await serving();
      return now !== undefined && now !== before ? true : undefined;
    });
  }

  /** Though nothing is mounted: the process that would do it stays, and comes back. */
  async function isReadyToMount(): Promise<void> {
    const one = async () => ((await serving()).length === 1 ? true : undefined);
    await eventually('a process that mounts', one);
    await isServedAnewWhenKilled();
  }

  /** Mounted, and brought here in the background, by whoever serves it by then. */
  async function comesBackByItself(id: string): Promise<void> {
    type Shown = { hydration?: { state: string }; unserved?: string[] };
    await isServedAnewWhenKilled();
    await eventually('all of it to be here', async () => {
      const { hydration, unserved } = await askHoldfast<Shown>(place, ['recovery', 'open', id]);
      return unserved === undefined && hydration?.state === 'done' ? true : undefined;
    });
    expect(await mountsIn(state('recoveries', id))).toHaveLength(1);
    expect(await processesIn(state('recoveries', id))).not.toEqual([]);
  }

  test('another port is chosen where its own is taken', async () => {
    expectCode(await holdfast('down'), 0);
    const port = Number(await fs.readFile(state('port'), 'utf8'));
    const catalogPort = Number(await fs.readFile(state('catalog', 'port'), 'utf8'));
    const squatters = await Promise.all(
      [port, catalogPort].map(async (taken) => {
        const squatter = net.createServer((socket) => socket.destroy());
        await new Promise<void>((resolve, reject) => {
          squatter.once('error', reject);
          squatter.listen(taken, '127.0.0.1', resolve);
        });
        return squatter;
      }),
    );
    try {
      expect(await holdfast('up', '--detach', '--wait')).toMatchObject({ code: 0, errors: '' });
      expect(Number(await fs.readFile(state('port'), 'utf8'))).not.toBe(port);
      expect(Number(await fs.readFile(state('catalog', 'port'), 'utf8'))).not.toBe(catalogPort);
      await met();
    } finally {
      for (const squatter of squatters) squatter.close();
    }
  });

  test('of two that start at once one runs, and the other says so', async () => {
    expectCode(await holdfast('down'), 0);
    const both = await Promise.all([holdfast('up', '--detach'), holdfast('up', '--detach')]);
    const codes = both.map(({ code }) => code).sort();
    expect(codes[0], both.map(({ errors }) => errors).join('\n')).toBe(0);
    const loser = both.find(({ code }) => code !== 0);
    if (loser) {
      expectCode(loser, 4);
      expect(loser.errors).toContain('a control plane runs on this state folder already');
    }
    await met();
    const servers = (await processesIn(state())).filter((line) => / serve *$/.test(line));
    expect(servers).toHaveLength(1);
  });

  test('a capture that is cut leaves a repository that is whole', async () => {
    const big = createHash('sha256').update('seed').digest();
    await server.sql(
      `create table big as select i, repeat('${big.toString('hex')}', 20) as t from generate_series(1, 20000) i`,
    );
    const capturing = startHoldfast(place, ['protect', 'numbers']);
    await eventually('the capture to run', async () => {
      const { output } = await holdfast('status');
      return output.includes('under way') || capturing.child.exitCode !== null ? true : undefined;
    });
    expectCode(await holdfast('down'), 0);
    await capturing.ended;
    const checked = await runHoldfast(
      { cwd: folder, env: { ...place.env, HOLDFAST_PASSWORD: 'correct horse' } },
      ['repo', 'check', '--read-data', '--repo', path.join(folder, 'repository')],
    );
    expect(checked.code, checked.output + checked.errors).toBe(0);
    expect(await holdfast('up', '--detach', '--wait')).toMatchObject({ code: 0, errors: '' });
  });
});
