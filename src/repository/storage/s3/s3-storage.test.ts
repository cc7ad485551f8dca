import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '#base';
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
  const storage = new S3Storage(`s3:${endpoint}/storage/f${folders}`, { ...options, ...more });
  opened.push(storage);
  return storage;
}

describeStorage('s3', { describe, test, expect }, async () => open());
