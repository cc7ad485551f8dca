/** Samples of a real server's files: whole ones pass, a changed byte is named by its block. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../test-server.ts';
import { samplePages } from './sample-pages.ts';

const BLOCK = 8192;
let server: TestServer;
let relation: string;

beforeAll(async () => {
  server = await startTestServer({ major: 15, initdbArguments: ['--data-checksums'] });
  const [row] = await server.sql(
    'create table rows as select n, md5(n::text) as m from generate_series(1, 20000) n',
    'checkpoint',
    "select pg_relation_filepath('rows') as file",
  );
  relation = String(row?.file);
  await server.stop();
});
afterAll(() => server?.remove());

async function sample(maxBytes: number, checksums: 'on' | 'off' = 'on') {
  const facts = {
    ...{ serverVersion: 150000, majorVersion: 15, systemIdentifier: '1' },
    ...{ walSegmentSizeBytes: 2 ** 24, blockSizeBytes: BLOCK, segmentFileBytes: 2 ** 30 },
    ...{ chunkSizeBytes: 2 ** 17, tablespaces: [], settings: { data_checksums: checksums } },
    ...{ configFiles: [], needs: {}, fromStandby: false },
    access: { user: 'postgres', database: 'postgres' },
  };
  const position = { line: 1, offset: 0n };
  const clock = { offsetMs: 0, uncertaintyMs: 0 };
  let readBytes = 0;
  const seen = await samplePages({
    capture: { start: position, end: position, clock, facts },
    directory: server.dataDirectory,
    maxBytes,
    onRead: (bytes) => {
      readBytes += bytes.length;
    },
    signal: new AbortController().signal,
  });
  return { ...seen, readBytes };
}

async function change(at: number, bytes: number[]): Promise<void> {
  const file = await fs.open(path.join(server.dataDirectory, relation), 'r+');
  await file.write(Buffer.from(bytes), 0, bytes.length, at);
  await file.close();
}

test('a part is as large as asked for, and all of it where that is little', async () => {
  const part = await sample(2 ** 20);
  expect(part.problems).toEqual([]);
  expect(part.readBytes).toBeGreaterThanOrEqual(2 ** 20);
  expect(part.readBytes).toBeLessThan(2 ** 20 + 2 ** 17);
  const all = await sample(2 ** 40);
  expect(all.problems).toEqual([]);
  const pages = (all.readBytes / BLOCK).toLocaleString('en-US');
  expect(all.what).toBe(`checksums and headers of ${pages} of ${pages} pages`);
});

test('a changed byte is found by its checksum, a broken header without one too', async () => {
  await change(3 * BLOCK + 5000, [0xff, 0x00, 0xff]);
  expect((await sample(2 ** 40)).problems).toEqual([`${relation}: block 3 damaged`]);
  expect((await sample(2 ** 40, 'off')).problems).toEqual([]);
  // pd_lower behind pd_upper.
  await change(5 * BLOCK + 12, [0xff, 0x1f]);
  const blind = await sample(2 ** 40, 'off');
  expect(blind.problems).toEqual([`${relation}: block 5 damaged`]);
  expect(blind.what).toContain('headers (it has no checksums)');
});
