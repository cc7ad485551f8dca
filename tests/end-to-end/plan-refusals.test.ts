/** What `holdfast plan` says of databases it can't protect and of files it can't read: what is wrong, and what mends it. */
import fs from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '#base';
import { startTestServer, type TestServer } from '../../src/sources/postgres/test-server.ts';
import { expectCode } from './command-line.ts';
import { type Ended, runHoldfast } from './site/command.ts';

type Finding = { severity: string; code: string; what: string; mend?: string };
type Planned = { name: string; verdict: string; findings: Finding[] };

let folder: string;
beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast refusals-'));
});
afterAll(() => fs.rm(folder, { recursive: true, force: true }));

const declared = (fields: string) => `apiVersion: holdfast/v1
name: shop
repository: {url: ./repository, password: "\${REPOSITORY_PASSWORD}"}
stores:
  orders: {type: postgres, url: "\${ORDERS_URL}", protect: continuous${fields}}
`;

const writeDeclaration = (fields: string) =>
  fs.writeFile(path.join(folder, 'holdfast.yaml'), declared(fields));

function planHere(url: string, words: string[] = []): Promise<Ended> {
  const env = { ORDERS_URL: url, REPOSITORY_PASSWORD: 'correct horse' };
  return runHoldfast({ cwd: folder, env }, ['plan', ...words]);
}

async function plan(url: string, fields = '', words: string[] = []): Promise<Ended> {
  await writeDeclaration(fields);
  return planHere(url, words);
}

/** The one store as it is planned, which the gate lets through or not. */
async function planned(url: string, fields = ''): Promise<Planned & { gate: number | null }> {
  const { code, output, errors } = await plan(url, fields, ['--gate', '--json']);
  expect(errors).toBe('');
  const [store] = (JSON.parse(output) as { stores: Planned[] }).stores;
  if (!store) throw new Error('no store was planned');
  return { ...store, gate: code };
}

const found = (store: Planned, code: string) =>
  store.findings.find((finding) => finding.code === code);

/** Everything below a folder, with what tells a change. */
async function stateOf(directory: string): Promise<string[]> {
  const names = (await fs.readdir(directory, { recursive: true })).sort();
  return Promise.all(
    names.map(async (name) => {
      const { size, mtimeMs, ino } = await fs.lstat(path.join(directory, name));
      return `${name} ${size} ${mtimeMs} ${ino}`;
    }),
  );
}

describe.each([15, 18] as const)('Postgres %i', (major) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({
      major,
      settings: { autovacuum: 'off', max_slot_wal_keep_size: '-1', max_wal_senders: '2' },
    });
    await server.sql(
      "create role plain login password 'pl'",
      'grant pg_monitor to plain',
      "create role keeper login replication password 'kp'",
      'grant pg_monitor to keeper',
    );
  });
  afterAll(() => server?.remove());

  const restartedWith = async (...statements: string[]) => {
    await server.sql(...statements);
    await server.stop();
    await server.start();
  };

  test('a slot without bound is refused, unless it is accepted by name', async () => {
    const refused = await planned(server.url('keeper', 'kp'));
    expect(refused).toMatchObject({ verdict: 'refused', gate: 6 });
    expect(found(refused, 'slot-unbounded')?.mend).toContain(
      "ALTER SYSTEM SET max_slot_wal_keep_size = '20GB'; SELECT pg_reload_conf();",
    );
    const accepted = await planned(server.url('keeper', 'kp'), ', acceptUnboundedSlot: true');
    expect(accepted).toMatchObject({ verdict: 'attention', gate: 0 });
    expect(found(accepted, 'slot-unbounded')?.severity).toBe('warn');
  });

  test('rpo: 0 is refused where a spool would be lost with the server', async () => {
    const store = await planned(server.url(), ', acceptUnboundedSlot: true, rpo: 0');
    expect(store).toMatchObject({ verdict: 'refused', gate: 6 });
    expect(found(store, 'spool-beside-primary')?.mend).toContain('on another machine');
    expect(found(store, 'not-synchronous')?.mend).toContain(
      "ALTER SYSTEM SET synchronous_standby_names = 'holdfast';",
    );
  });

  test('nothing is written, neither here nor there', async () => {
    await writeDeclaration('');
    const look = async () => [
      ...(await stateOf(folder)),
      // No transaction got an id: nothing was changed by a statement.
      ...(await server.sql(
        'select pg_snapshot_xmax(pg_current_snapshot())::text as next, (select count(*)::int from pg_replication_slots) as slots',
      )),
    ];
    const before = await look();
    expectCode(await planHere(server.url()), 0);
    expectCode(await planHere(server.url(), ['--gate', '--json']), 6);
    expect(await look()).toEqual(before);
    expect(before.at(-1)).toMatchObject({ slots: 0 });
  });

  test('a role without REPLICATION is told the statement', async () => {
    const store = await planned(server.url('plain', 'pl'));
    expect(store).toMatchObject({ verdict: 'refused', gate: 6 });
    expect(found(store, 'no-replication-right')?.mend).toBe('ALTER ROLE "plain" REPLICATION;');
    const shown = await plan(server.url('plain', 'pl'));
    expectCode(shown, 0);
    expect(shown.output).toContain('ALTER ROLE "plain" REPLICATION;');
    await server.sql('alter role plain replication');
    expect(found(await planned(server.url('plain', 'pl')), 'no-replication-right')).toBe(undefined);
  });

  test('a wrong password, a role and a database that are not there', async () => {
    const wrong = await planned(server.url('keeper', 'not-it-at-all'));
    expect(wrong).toMatchObject({ verdict: 'unreachable', gate: 6 });
    expect(JSON.stringify(wrong)).not.toContain('not-it-at-all');
    expect(wrong.findings[0]?.what).toContain('refused the password of role "keeper"');
    const absent = await planned(server.url('keeper', 'kp', 'nowhere'));
    expect(JSON.stringify(absent.findings)).toContain('database \\"nowhere\\" doesn\'t exist');
  });

  test('without a free WAL sender', async () => {
    const held = await holdSenders(server, 2);
    try {
      const store = await planned(server.url('keeper', 'kp'));
      expect(store).toMatchObject({ verdict: 'refused', gate: 6 });
      expect(found(store, 'wal-senders-few')).toMatchObject({
        what: '2 of 2 WAL senders are in use; streaming and a base backup need 2',
        mend: 'ALTER SYSTEM SET max_wal_senders = 7;  -- then restart Postgres',
      });
    } finally {
      await held.release();
    }
  });

  test('wal_level=minimal', async () => {
    await restartedWith(
      "alter system set wal_level = 'minimal'",
      'alter system set max_wal_senders = 0',
    );
    const store = await planned(server.url('keeper', 'kp'));
    expect(store).toMatchObject({ verdict: 'refused', gate: 6 });
    expect(found(store, 'wal-level-minimal')?.mend).toContain(
      "ALTER SYSTEM SET wal_level = 'replica';",
    );
    // What one cause explains is told once.
    expect(store.findings.filter(({ code }) => code === 'no-free-wal-sender')).toEqual([]);
  });

  test('a server that is not up', async () => {
    await server.stop();
    const store = await planned(server.url());
    expect(store).toMatchObject({ verdict: 'unreachable', gate: 6 });
    expect(store.findings[0]?.what).toContain(`127.0.0.1:${server.port} can't be reached`);
    expect(store.findings[0]?.mend).toContain('Check host, port, firewall');
    const shown = await plan(server.url());
    expect(shown).toMatchObject({ code: 0, errors: '' });
    expect(shown.output).not.toContain(server.password);
  });
});

/** Replication connections that stay open and take a WAL sender each. */
async function holdSenders(server: TestServer, count: number) {
  const { connectReplication, parseConnectionUrl } = await import(
    '../../src/sources/postgres/connection/index.ts'
  );
  const links = await Promise.all(
    Array.from({ length: count }, () => connectReplication(parseConnectionUrl(server.url()))),
  );
  return { release: async () => void (await Promise.all(links.map((link) => link.close()))) };
}

/** A fake: it says it is Postgres 12, to whoever asks, and answers nothing else. */
async function fakeOldServer(): Promise<{ port: number; close(): Promise<void> }> {
  const message = (type: string, body: Buffer) => {
    const head = Buffer.alloc(5);
    head.write(type);
    head.writeInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const welcome = Buffer.concat([
    message('R', Buffer.alloc(4)),
    message('S', Buffer.from('server_version\x0012.22\0')),
    message('K', Buffer.alloc(8)),
    message('Z', Buffer.from('I')),
  ]);
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.once('data', () => socket.write(welcome));
    socket.on('error', () => {
      // The client hung up, as it should.
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

describe('other databases', () => {
  test('a version that is too old is named', async () => {
    const fake = await fakeOldServer();
    try {
      const store = await planned(`postgresql://u:p@127.0.0.1:${fake.port}/x?sslmode=disable`);
      expect(store.gate).toBe(6);
      expect(store.findings[0]).toMatchObject({
        what: "Postgres 12.22 isn't supported",
        mend: 'Holdfast protects Postgres 13 to 18: upgrade the server, or Holdfast for a newer one.',
      });
    } finally {
      await fake.close();
    }
  });

  test('a port where something else or nobody listens', async () => {
    const store = await planned(`postgresql://u:p@127.0.0.1:${await freePort()}/x`);
    expect(store).toMatchObject({ verdict: 'unreachable', gate: 6 });
    const web = net.createServer((socket) => {
      socket.on('error', () => {
        // The client hung up, as it should.
      });
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    });
    const port = await freePort();
    await new Promise<void>((resolve) => web.listen(port, '127.0.0.1', resolve));
    try {
      const other = await planned(`postgresql://u:p@127.0.0.1:${port}/x?sslmode=disable`);
      expect(other).toMatchObject({ verdict: 'unreachable', gate: 6 });
      expect(other.findings[0]?.mend).not.toBe(undefined);
    } finally {
      await new Promise((resolve) => web.close(resolve));
    }
  });

  test.each(['shadow', 'dump'])(
    'method %s comes later, and is refused by its name',
    async (method) => {
      const { code, errors } = await plan('postgresql://u:p@h/x', `, method: ${method}`);
      expect(code).toBe(2);
      expect(errors).toMatch(
        new RegExp(`holdfast.yaml:5:\\d+: stores.orders.method: ${method}: not yet`),
      );
    },
  );
});

describe('holdfast.yaml', () => {
  const given = async (text: string) => {
    await fs.writeFile(path.join(folder, 'holdfast.yaml'), text);
    const env = { ORDERS_URL: 'postgresql://u:p@h/x', REPOSITORY_PASSWORD: 'p' };
    const ended = await runHoldfast({ cwd: folder, env }, ['plan']);
    expect(ended.code, ended.errors).toBe(2);
    expect(ended.output).toBe('');
    expect(ended.errors).not.toMatch(/^\s+at |node:internal/m);
    return ended.errors;
  };
  const good = declared('');

  test('all that is wrong is told at once, each at its place', async () => {
    const errors = await given(
      `${good.replace('protect:', 'protct:').replace('name: shop', 'name: Shop')}on: push
services:
  a: {run: x, needs: [b]}
  b: {run: x, needs: [c]}
  c: {run: x, needs: [a]}
`,
    );
    const places = errors.split('\n').filter((line) => /holdfast\.yaml:\d+:\d+: /.test(line));
    expect(places.length).toBeGreaterThanOrEqual(5);
    expect(errors).toMatch(/holdfast\.yaml:2:7: name: must be of a-z/);
    expect(errors).toMatch(/holdfast\.yaml:5:\d+: stores\.orders\.protct: is not a known field/);
    expect(errors).toContain('did you mean protect?');
    expect(errors).toMatch(/holdfast\.yaml:6:1: on: /);
    expect(errors).toMatch(/holdfast\.yaml:\d+:\d+: services\.\w\.needs.*is a cycle: /);
  });

  test.each([
    ['a tab', 'apiVersion: holdfast/v1\nrepository:\n\turl: x\n', /holdfast\.yaml:3:1: .*tab/i],
    ['a key twice', `${good}name: other\n`, /holdfast\.yaml:6:1: name: .*(twice|already)/],
    ['nothing', '', /holdfast\.yaml:1:1: /],
    ['a list', '- a\n- b\n', /holdfast\.yaml:1:1: /],
  ])('%s', async (_name, text, told) => {
    expect(await given(text)).toMatch(told);
  });

  test('aliases that explode end in one line, not in memory', async () => {
    let bomb = 'a: &a [x,x,x,x,x,x,x,x,x,x]\n';
    for (let index = 1; index < 24; index += 1) {
      const [name, below] = [String.fromCharCode(97 + index), String.fromCharCode(96 + index)];
      bomb += `${name}: &${name} [${Array(10).fill(`*${below}`).join(',')}]\n`;
    }
    const errors = await given(bomb);
    expect(errors).toMatch(/holdfast\.yaml:\d+:\d+: .*more than 20000 values/);
    expect(errors.length).toBeLessThan(10_000);
  });
});
