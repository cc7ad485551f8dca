/** What a server that can't be had here would answer: each by a listener that answers so, whatever it is asked. */
import http from 'node:http';
import type net from 'node:net';
import { inspect } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { freePort, HoldfastError, Secret } from '#base';
import { withRetries } from '../retry.ts';
import type { S3Options } from './options.ts';
import { S3Storage } from './s3-storage.ts';

const SECRET = 'the-secret-access-key';
const credentials = { accessKeyId: 'AK', secretAccessKey: new Secret(SECRET) };
const opened: { close: () => unknown }[] = [];

afterAll(async () => {
  for (const each of opened) await each.close();
});

type Answer = { status: number; code?: string; headers?: Record<string, string>; body?: string };

async function answering(
  answer: (request: http.IncomingMessage, nth: number) => Answer | undefined,
  options: S3Options = {},
) {
  let requests = 0;
  const server = http.createServer((request, response) => {
    requests += 1;
    request.resume();
    const given = answer(request, requests);
    if (!given) return request.socket.destroy();
    const { status, code, headers = {}, body } = given;
    response.writeHead(status, headers);
    response.end(body ?? (code ? `<Error><Code>${code}</Code><Message>m</Message></Error>` : ''));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const storage = new S3Storage(`s3:http://127.0.0.1:${port}/bucket`, { credentials, ...options });
  opened.push({ close: () => server.close() }, storage);
  return { storage, requests: () => requests };
}

async function failureOf(work: Promise<unknown>): Promise<HoldfastError> {
  const error = await work.then(
    () => expect.unreachable(),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(HoldfastError);
  expect(inspect(error, { depth: 10 })).not.toContain(SECRET);
  expect(inspect(error, { depth: 10 })).not.toContain('Signature=');
  return error as HoldfastError;
}

test.each([
  ['NoSuchBucket', 404, 's3/bucket-missing'],
  ['NoSuchKey', 404, 'repository/not-in-storage'],
  ['AccessDenied', 403, 's3/denied'],
  ['InvalidAccessKeyId', 403, 's3/credentials-refused'],
  ['SignatureDoesNotMatch', 403, 's3/credentials-refused'],
  ['ExpiredToken', 400, 's3/credentials-refused'],
  ['RequestTimeTooSkewed', 403, 's3/clock-skewed'],
  ['PermanentRedirect', 301, 's3/elsewhere'],
  ['AuthorizationHeaderMalformed', 400, 's3/elsewhere'],
  ['QuotaExceeded', 403, 'repository/storage-full'],
  ['InvalidObjectState', 403, 's3/archived'],
  ['InvalidArgument', 400, 's3/rejected'],
])('%s is told at once', async (code, status, expected) => {
  const { storage, requests } = await answering(() => ({
    status,
    code,
    headers: { 'x-amz-bucket-region': 'eu-north-1' },
  }));
  const failure = await failureOf(withRetries(storage).read('config'));
  expect(failure).toMatchObject({ code: expected, retryable: false });
  expect(requests()).toBe(1);
  if (expected === 's3/elsewhere') expect(failure.guidance).toContain('AWS_REGION=eu-north-1');
});

test.each([
  ['SlowDown', 503],
  ['InternalError', 500],
  ['RequestTimeout', 400],
  ['BadDigest', 400],
  ['TooManyRequests', 429],
  ['a cut connection', 0],
])('%s passes when it is tried again', async (code, status) => {
  const { storage, requests } = await answering((_request, nth) => {
    if (nth > 3) return { status: 200, headers: { 'content-length': '5' }, body: 'bytes' };
    return status === 0 ? undefined : { status, code };
  });
  const patient = withRetries(storage, { firstPauseMs: 1 });
  expect((await patient.read('config')).toString()).toBe('bytes');
  expect(requests()).toBe(4);
});

test('a body that ends early is read again', async () => {
  let cut = true;
  const { storage } = await answering((request) => {
    if (!cut) return { status: 200, headers: { 'content-length': '5' }, body: 'bytes' };
    cut = false;
    setImmediate(() => request.socket.destroy());
    return { status: 200, headers: { 'content-length': '500' }, body: 'by' };
  });
  expect((await withRetries(storage, { firstPauseMs: 1 }).read('config')).toString()).toBe('bytes');
});

test('a server that falls silent is given up after a time', async () => {
  const server = http.createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const storage = new S3Storage(`s3:http://127.0.0.1:${port}/bucket`, {
    credentials,
    idleTimeoutMs: 50,
  });
  opened.push({ close: () => server.closeAllConnections() }, { close: () => server.close() });
  expect(await failureOf(storage.read('config'))).toMatchObject({
    code: 'repository/storage-timeout',
    retryable: true,
  });
});

test('closing ends what is under way', async () => {
  let asked: () => void = () => {};
  const reached = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const server = http.createServer(() => asked());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  opened.push({ close: () => server.close() });
  const storage = new S3Storage(`s3:http://127.0.0.1:${port}/bucket`, { credentials });
  const failure = failureOf(storage.read('config'));
  await reached;
  await storage.close();
  expect(await failure).toMatchObject({ code: 's3/closed' });
  expect(await failureOf(storage.read('config'))).toMatchObject({ code: 's3/closed' });
});

test('nobody there, an unknown host, no TLS: each in its words', async () => {
  const read = (address: string) => {
    const storage = new S3Storage(address, { credentials });
    opened.push(storage);
    return failureOf(storage.read('config'));
  };
  const nobody = await freePort();
  expect(await read(`s3:http://127.0.0.1:${nobody}/bucket`)).toMatchObject({
    code: 's3/unreachable',
    retryable: false,
  });
  expect((await read('s3:http://no-such-host.invalid/bucket')).code).toMatch(
    /s3\/host-unknown|repository\/storage-failed/,
  );
  const { storage } = await answering(() => ({ status: 200 }));
  const https = storage.location.replace('http:', 'https:');
  expect(await read(https)).toMatchObject({ code: 's3/not-tls' });
});

test('the region is the one of the options, else that of the environment', async () => {
  const seen: string[] = [];
  const note = (request: http.IncomingMessage) => {
    const scope = /Credential=AK\/\d+\/([^/]+)\/s3/.exec(request.headers.authorization ?? '');
    seen.push(scope?.[1] ?? '');
    return { status: 404, code: 'NoSuchKey' };
  };
  const before = { ...process.env };
  delete process.env.AWS_REGION;
  delete process.env.AWS_DEFAULT_REGION;
  try {
    await failureOf((await answering(note)).storage.read('a'));
    process.env.AWS_DEFAULT_REGION = 'eu-west-3';
    await failureOf((await answering(note)).storage.read('a'));
    await failureOf((await answering(note, { region: 'eu-north-1' })).storage.read('a'));
  } finally {
    process.env = before;
  }
  expect(seen).toEqual(['us-east-1', 'eu-west-3', 'eu-north-1']);
});
