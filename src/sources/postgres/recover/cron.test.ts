/** pg_cron, the scheduler that most have inside their database: a copy keeps its jobs and runs none. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectSql, parseConnectionUrl } from '../connection/index.ts';
import { startTestServer, type TestServer, until } from '../test-server.ts';
import { captureTo, contextIn, storeAt } from '../testing.ts';
import { settleCopy, startCopy, stopCopy } from './life.ts';
import { recoverPostgres } from './recover.ts';

const LAUNCHERS =
  "select count(*)::int as n from pg_stat_activity where backend_type ilike 'pg_cron%'";

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({
    major: 15,
    settings: {
      shared_preload_libraries: 'pg_cron, auto_explain',
      'cron.use_background_workers': 'on',
    },
  });
  await server.sql(
    'create extension pg_cron',
    "select cron.schedule('every minute', '* * * * *', 'select 1')",
  );
  await until(async () => (await server.sql(LAUNCHERS))[0]?.n === 1, 'pg_cron to work here');
});
afterAll(() => server.remove());

test('a copy holds the jobs and runs none, until it is production again', async () => {
  const directory = path.join(server.folder, 'copy');
  const scratch = path.join(server.folder, 'scratch');
  await fs.mkdir(scratch, { mode: 0o700 });
  const { outcome } = await captureTo(directory, server, storeAt(server));
  const copy = await recoverPostgres(
    { capture: outcome, directory, scratch, mode: 'beside' },
    contextIn(scratch),
  );
  const look = async (url: unknown) => {
    const sql = await connectSql(parseConnectionUrl(String(url)));
    const [launchers] = await sql.query<{ n: number }>(LAUNCHERS);
    const [jobs] = await sql.query<{ n: number }>('select count(*)::int as n from cron.job');
    const [preloaded] = await sql.query('show shared_preload_libraries');
    await sql.close();
    return { launchers: launchers?.n, jobs: jobs?.n, ...preloaded };
  };
  const still = { launchers: 0, jobs: 1, shared_preload_libraries: 'auto_explain' };
  expect(await look(copy.facts.socketUrl)).toEqual(still);
  await stopCopy(directory);
  const request = { directory, scratch, port: undefined, survived: false };
  const again = await startCopy(request, contextIn(scratch));
  expect(await look(again.facts.socketUrl)).toEqual(still);

  await server.stop();
  await settleCopy({ directory, scratch, home: server.dataDirectory });
  await fs.rename(server.dataDirectory, `${server.dataDirectory}.replaced`);
  await fs.rename(directory, server.dataDirectory);
  await server.start();
  await until(async () => (await server.sql(LAUNCHERS))[0]?.n === 1, 'pg_cron to work again');
});
