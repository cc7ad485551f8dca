/** A relation that goes on in a second file: Postgres begins one at each GiB. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectSql, parseConnectionUrl } from '../connection/index.ts';
import { stopCopy } from '../recover/life.ts';
import { recoverPostgres } from '../recover/recover.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import { captureTo, contextIn, storeAt } from '../testing.ts';

const BLOCK_BYTES = 8192;
const BLOCKS_PER_FILE = 2 ** 30 / BLOCK_BYTES;
const ROWS = 12;

let server: TestServer;
let file: string;

beforeAll(async () => {
  server = await startTestServer({ major: 15, settings: { autovacuum: 'off' } });
  // A row a page.
  await server.sql(
    'create table wide (id int, filler text)',
    'alter table wide alter filler set storage plain',
    "insert into wide values (0, repeat('x', 7900))",
    'checkpoint',
  );
  const [row] = await server.sql("select pg_relation_filepath('wide') as file");
  file = path.join(server.dataDirectory, String(row?.file));
  // Pages that were never used, up to nearly the first file's end, as a crash while a relation grows leaves them.
  await server.stop();
  await fs.truncate(file, (BLOCKS_PER_FILE - 4) * BLOCK_BYTES);
  await server.start();
  await server.sql(
    `insert into wide select g, repeat('y', 7900) from generate_series(1, ${ROWS - 1}) g`,
    'checkpoint',
  );
}, 120_000);
afterAll(() => server.remove());

test('comes back whole, checked page by page on both sides of the border', async () => {
  const second = await fs.stat(`${file}.1`);
  expect(second.size).toBeGreaterThan(3 * BLOCK_BYTES);
  const directory = path.join(server.folder, 'restored');
  const scratch = path.join(server.folder, 'scratch');
  await fs.mkdir(scratch, { mode: 0o700 });
  await fs.chown(scratch, server.user.uid, server.user.gid);
  const { outcome, problems, paths } = await captureTo(directory, server, storeAt(server));
  expect(problems).toEqual([]);
  expect(paths).toContain(path.relative(server.dataDirectory, `${file}.1`));

  const context = contextIn(server.folder);
  const request = {
    capture: outcome,
    directory,
    scratch,
    mode: 'beside',
    own: { url: server.url() },
  } as const;
  const copy = await recoverPostgres(request, context);
  try {
    const connection = await connectSql(parseConnectionUrl(copy.url));
    const [row] = await connection.query(
      'select count(*)::int as rows, sum(id)::int as ids, sum(length(filler))::int as bytes from wide',
    );
    await connection.close();
    expect(row).toEqual({ rows: ROWS, ids: (ROWS * (ROWS - 1)) / 2, bytes: ROWS * 7900 });
  } finally {
    await stopCopy(directory);
  }
}, 120_000);

test('names a damaged page of the second file by its block in the relation', async () => {
  const place = 2 * BLOCK_BYTES + 5000;
  const handle = await fs.open(`${file}.1`, 'r+');
  await handle.write(Buffer.from('damage'), 0, 6, place);
  await handle.close();
  const { problems } = await captureTo(
    path.join(server.folder, 'damaged'),
    server,
    storeAt(server),
  );
  expect(problems).toEqual([
    expect.stringContaining(`.1: page checksum wrong in block ${BLOCKS_PER_FILE + 2}:`),
  ]);
}, 120_000);
