import { hash } from 'node:crypto';
import dns from 'node:dns';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { randomBytes, Secret } from '#base';
import { inLanes } from '../../in-lanes.ts';
import { describeStorage } from '../conformance.ts';
import type { S3Options } from './options.ts';
import { S3Storage } from './s3-storage.ts';
import { type S3TestServer, startS3TestServer } from './test-server.ts';

let server: S3TestServer;
let options: S3Options;
const opened: S3Storage[] = [];

beforeAll(async () => {
  server = await startS3TestServer();
  const { accessKeyId, secretAccessKey } = server.user;
  options = { credentials: { accessKeyId, secretAccessKey: new Secret(secretAccessKey) } };
  await server.makeBucket('storage');
});

afterAll(async () => {
  for (const storage of opened) await storage.close();
  await server?.stop();
});

let folders = 0;

/** An own folder of the bucket for each. */
function open(more: S3Options = {}, endpoint = server.endpoint): S3Storage {
  folders += 1;
  return openAt(`s3:${endpoint}/storage/f${folders}`, more);
}

function openAt(address: string, more: S3Options = {}): S3Storage {
  const storage = new S3Storage(address, { ...options, ...more });
  opened.push(storage);
  return storage;
}

describeStorage('s3', { describe, test, expect }, async () => open());

describe('a bucket', () => {
  test('lists and removes by more than a page of a thousand', async () => {
    const storage = open();
    const names = Array.from({ length: 1_050 }, (_, i) => `data/${i % 7}/${i}`);
    await inLanes(names, 24, (name) => storage.write(name, [Buffer.from('x')]));
    const found = async () => {
      const all: string[] = [];
      for await (const { name } of storage.list('data/')) all.push(name);
      return all.sort();
    };
    expect(await found()).toEqual([...names].sort());
    await storage.removeAll([...names.slice(1), 'data/never-was']);
    expect(await found()).toEqual(['data/0/0']);
  });

  test('refuses bytes that are not what their name says', async () => {
    const storage = open();
    const bytes = randomBytes(1_000);
    const name = `index/${hash('sha256', bytes, 'hex')}`;
    const other = Buffer.from(bytes);
    other[500] = (other[500] as number) ^ 1;
    await expect(storage.write(name, [other])).rejects.toMatchObject({
      code: 'repository/storage-failed',
      retryable: true,
    });
    expect(await storage.stat(name)).toBeUndefined();
    await storage.write(name, [bytes.subarray(0, 300), bytes.subarray(300)]);
    expect((await storage.read(name)).equals(bytes)).toBe(true);
  });

  test('gives its class to packs of data alone', async () => {
    // This server knows no such class: what carries it is refused.
    const storage = open({ storageClass: 'GLACIER_IR' });
    await storage.write('data/tt/trees', [Buffer.from('t')], { blobs: 'tree' });
    await storage.write('index/i', [Buffer.from('i')]);
    await expect(
      storage.write('data/dd/data', [Buffer.from('d')], { blobs: 'data' }),
    ).rejects.toMatchObject({ code: 's3/rejected' });
  });

  test('tells its time', async () => {
    expect(Math.abs((await open().serverTimeMs()) - Date.now())).toBeLessThan(60_000);
  });

  test('is reached by its name in the host, too', async () => {
    const { port } = new URL(server.endpoint);
    const real = dns.lookup;
    const asked: string[] = [];
    const spy = vi.spyOn(dns, 'lookup').mockImplementation(((host: string, ...rest: unknown[]) => {
      asked.push(host);
      return (real as (...words: unknown[]) => unknown)('127.0.0.1', ...rest);
    }) as typeof dns.lookup);
    try {
      const address = `s3:http://s3.holdfast.test:${port}/storage/virtual`;
      const storage = openAt(address, { addressing: 'virtual' });
      await storage.write('a', [Buffer.from('1')]);
      expect((await openAt(`s3:${server.endpoint}/storage/virtual`).read('a')).toString()).toBe(
        '1',
      );
    } finally {
      spy.mockRestore();
    }
    expect(asked).toContain('storage.s3.holdfast.test');
  });

  test('with TLS is trusted by who signed its certificate, and by nothing else', async () => {
    const storage = open({ caFile: server.caFile }, server.tlsEndpoint);
    await storage.write('a', [randomBytes(100_000), randomBytes(5)]);
    expect(await storage.read('a')).toHaveLength(100_005);
    await expect(open({}, server.tlsEndpoint).read('a')).rejects.toMatchObject({
      code: 's3/certificate-refused',
      retryable: false,
    });
    expect(() => open({ caFile: '/nowhere/ca.pem' })).toThrow(
      expect.objectContaining({ code: 's3/option-invalid' }),
    );
  });
});

describe('what cannot pass is told at once', () => {
  test('a bucket that is not there', async () => {
    const storage = openAt(`s3:${server.endpoint}/no-such-bucket`);
    const missing = { code: 's3/bucket-missing', kind: 'not-found' };
    await expect(storage.stat('config')).rejects.toMatchObject(missing);
    await expect(storage.read('config')).rejects.toMatchObject(missing);
    await expect(storage.write('config', [])).rejects.toMatchObject(missing);
  });

  test('credentials that are unknown, wrong, or without the right', async () => {
    const { accessKeyId } = server.user;
    const as = (key: string, secret: string) =>
      open({ credentials: { accessKeyId: key, secretAccessKey: new Secret(secret) } });
    const refused = { code: 's3/credentials-refused', kind: 'refused' };
    await expect(as('NOBODY', 'x').stat('config')).rejects.toMatchObject(refused);
    await expect(as(accessKeyId, 'x').stat('config')).rejects.toMatchObject(refused);
    await expect(as(accessKeyId, 'x').write('a', [])).rejects.toMatchObject(refused);
    const other = await server.addUser();
    const stranger = as(other.accessKeyId, other.secretAccessKey);
    const denied = { code: 's3/denied', kind: 'refused' };
    await expect(stranger.stat('config')).rejects.toMatchObject(denied);
    await expect(stranger.write('a', [])).rejects.toMatchObject(denied);
  });

  test('credentials by the standard chain: from the environment, or none', async () => {
    const before = { ...process.env };
    for (const name of Object.keys(process.env))
      if (name.startsWith('AWS_')) delete process.env[name];
    Object.assign(process.env, { AWS_EC2_METADATA_DISABLED: 'true', HOME: '/nowhere' });
    try {
      const none = new S3Storage(`s3:${server.endpoint}/storage/chain`);
      opened.push(none);
      await expect(none.read('a')).rejects.toMatchObject({ code: 's3/credentials-missing' });
      Object.assign(process.env, server.env);
      const some = new S3Storage(`s3:${server.endpoint}/storage/chain`);
      opened.push(some);
      await some.write('a', [Buffer.from('x')]);
    } finally {
      process.env = before;
    }
  });
});
