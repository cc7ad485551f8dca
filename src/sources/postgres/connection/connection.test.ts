import { execFileSync } from 'node:child_process';
import fs from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '#base';
import { startTestServer, type TestServer } from '../test-server.ts';
import { connectReplication, connectSql, parseConnectionUrl } from './index.ts';

describe('a URL', () => {
  test('is read as libpq reads it', () => {
    const settings = parseConnectionUrl(
      'postgres://kim:p%40ss@[::1]:6000/shop?sslmode=verify-full&sslrootcert=/ca&connect_timeout=3',
    );
    expect(settings).toMatchObject({
      host: '::1',
      port: 6000,
      user: 'kim',
      database: 'shop',
      connectTimeoutMs: 3000,
      tls: { mode: 'verify-full', rootCertificate: '/ca' },
    });
    expect(settings.password?.reveal()).toBe('p@ss');
    const socket = parseConnectionUrl('postgresql://kim@/shop?host=/run/postgresql');
    expect(socket).toMatchObject({ host: '/run/postgresql', port: 5432, user: 'kim' });
    expect(parseConnectionUrl('postgresql:///shop').host).toBe('localhost');
  });

  test.each([
    ['mysql://h/d', /scheme is mysql/],
    ['postgres://u:secret word@@:x/d', /it is no URL/],
    ['postgres://u:se%zzcret@h/d', /not followed by two hexadecimal digits/],
    ['postgres://h/d?sslmode=sometimes', /sslmode is one of/],
    ['postgres://h/d?target_session_attrs=any', /target_session_attrs isn't known/],
    ['postgres://h:99999/d', /it is no URL|port is a whole number/],
    ['postgres://a,b/d', /several hosts/],
    ['postgres://h/d?sslmode=require&sslrootcert=system', /only safe with sslmode=verify-full/],
  ])('%s is refused, and no secret shown', (url, message) => {
    expect(() => parseConnectionUrl(url)).toThrow(message);
    expect(() => parseConnectionUrl(url)).not.toThrow(/secret|se%zz/);
  });
});

test('a server that never answers is given up', async () => {
  const silent = net.createServer();
  const port = await freePort();
  await new Promise<void>((resolve) => silent.listen(port, '127.0.0.1', resolve));
  try {
    const settings = parseConnectionUrl(
      `postgres://u:p@127.0.0.1:${port}/d?sslmode=disable&connect_timeout=1`,
    );
    await expect(connectSql(settings)).rejects.toMatchObject({
      code: 'postgres/unreachable',
      retryable: true,
    });
  } finally {
    silent.close();
  }
});

test('a server too old is refused by its version', async () => {
  // No such server is at hand: this one says hello and nothing more.
  const message = (kind: string, body: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(body.length + 4);
    return Buffer.concat([Buffer.from(kind), length, body]);
  };
  const old = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(message('R', Buffer.alloc(4)));
      socket.write(message('S', Buffer.from('server_version\u00009.6.24\0')));
      socket.write(message('Z', Buffer.from('I')));
    });
  });
  await new Promise<void>((listening) => old.listen(0, '127.0.0.1', listening));
  const { port } = old.address() as net.AddressInfo;
  try {
    const url = `postgresql://u@127.0.0.1:${port}/x?sslmode=disable`;
    await expect(connectSql(parseConnectionUrl(url))).rejects.toMatchObject({
      code: 'postgres/version-unsupported',
      message: expect.stringContaining('9.6.24'),
    });
  } finally {
    old.close();
  }
});

describe('TLS, by sslmode', () => {
  let server: TestServer;
  let ca: string;
  let otherCa: string;
  beforeAll(async () => {
    server = await startTestServer({
      major: 15,
      hostEntries: [
        'hostnossl all tls_only 127.0.0.1/32 reject',
        'hostssl all plain_only 127.0.0.1/32 reject',
        'hostssl all certified 127.0.0.1/32 cert',
      ],
    });
    ca = await certificate('server', 'DNS:localhost');
    otherCa = await certificate('other', 'DNS:elsewhere');
    const client = await certificate('certified', 'DNS:nowhere');
    await server.sql(
      `alter system set ssl_ca_file = '${client}'`,
      'create role certified login',
      `alter system set ssl_cert_file = '${ca}'`,
      `alter system set ssl_key_file = '${ca.replace('.crt', '.key')}'`,
      'alter system set ssl = on',
      "create role tls_only login password 'x'",
      "create role plain_only login password 'x'",
      'select pg_reload_conf()',
    );
  });
  afterAll(() => server.remove());

  async function certificate(name: string, subject: string): Promise<string> {
    const file = path.join(server.folder, `${name}.crt`);
    const key = path.join(server.folder, `${name}.key`);
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '2',
      ]
        .concat(['-subj', `/CN=${name}`, '-addext', `subjectAltName=${subject}`])
        .concat(['-keyout', key, '-out', file]),
      { stdio: 'ignore' },
    );
    await fs.chown(key, server.user.uid, server.user.gid);
    await fs.chown(file, server.user.uid, server.user.gid);
    return file;
  }

  /** `true` encrypted, `false` plain, else the code of the error. */
  async function isEncrypted(role: string, host: string, query: string): Promise<unknown> {
    const password = role === 'postgres' ? server.password : 'x';
    const url = `postgresql://${role}:${password}@${host}:${server.port}/postgres?${query}`;
    try {
      const sql = await connectSql(parseConnectionUrl(url));
      const [row] = await sql.query('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
      await sql.close();
      return row?.ssl;
    } catch (error) {
      return (error as { code: string }).code;
    }
  }

  test.each([
    ['postgres', 'disable', false],
    ['postgres', 'allow', false],
    ['postgres', 'prefer', true],
    ['postgres', 'require', true],
    ['tls_only', 'allow', true],
    ['tls_only', 'disable', 'postgres/no-host-entry'],
    ['plain_only', 'prefer', false],
    ['plain_only', 'require', 'postgres/no-host-entry'],
  ])('%s with %s', async (role, mode, expected) => {
    expect(await isEncrypted(role, '127.0.0.1', `sslmode=${mode}`)).toBe(expected);
  });

  test('verification wants the right root, and the name where asked', async () => {
    expect(await isEncrypted('postgres', '127.0.0.1', `sslmode=verify-ca&sslrootcert=${ca}`)).toBe(
      true,
    );
    expect(
      await isEncrypted('postgres', 'localhost', `sslmode=verify-full&sslrootcert=${ca}`),
    ).toBe(true);
    const failed = 'postgres/tls-failed';
    expect(
      await isEncrypted('postgres', '127.0.0.1', `sslmode=verify-full&sslrootcert=${ca}`),
    ).toBe(failed);
    expect(
      await isEncrypted('postgres', '127.0.0.1', `sslmode=verify-ca&sslrootcert=${otherCa}`),
    ).toBe(failed);
    expect(
      await isEncrypted('postgres', '127.0.0.1', `sslmode=require&sslrootcert=${otherCa}`),
    ).toBe(failed);
    expect(
      await isEncrypted('postgres', '127.0.0.1', 'sslmode=verify-ca&sslrootcert=/nowhere.crt'),
    ).toBe('postgres/certificate-unreadable');
  });

  test('a certificate can stand for a password', async () => {
    const certificateOf = (name: string) =>
      ['sslcert', 'sslkey']
        .map((field) => `${field}=${server.folder}/${name}.${field === 'sslkey' ? 'key' : 'crt'}`)
        .join('&');
    const asCertified = (query: string) => isEncrypted('certified', '127.0.0.1', query);
    expect(await asCertified(`sslmode=require&${certificateOf('certified')}`)).toBe(true);
    expect(await asCertified('sslmode=require')).toBe('postgres/no-host-entry');
    expect(await asCertified(`sslmode=require&${certificateOf('other')}`)).not.toBe(true);
  });

  test('replication speaks TLS too, and ends cleanly twice', async () => {
    const url = server.url().replace('sslmode=disable', `sslmode=verify-ca&sslrootcert=${ca}`);
    const replication = await connectReplication(parseConnectionUrl(url));
    expect((await replication.query('IDENTIFY_SYSTEM'))[0]).toMatchObject({ timeline: '1' });
    await expect(replication.query('NO_SUCH_COMMAND')).rejects.toMatchObject({
      code: 'postgres/command-failed',
    });
    await replication.close();
    await replication.close();
  });
});
