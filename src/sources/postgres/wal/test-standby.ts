/** A standby of a test server, for tests of promotion. */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { startTestServer, type TestServer, until } from '../test-server.ts';

const execute = promisify(execFile);

/** A standby takes its primary's roles, so that passwords would differ from what the test knows. */
export const TRUSTING = [
  'host all all 127.0.0.1/32 trust',
  'host replication all 127.0.0.1/32 trust',
];

/** Makes a standby that follows the primary (which must trust) from a cold copy; the primary is restarted for it. */
export async function startStandby(primary: TestServer): Promise<TestServer> {
  const standby = await startTestServer({ major: primary.major as 15 | 18, hostEntries: TRUSTING });
  await standby.stop();
  await primary.stop();
  await fs.rm(standby.dataDirectory, { recursive: true });
  await execute('cp', ['-a', primary.dataDirectory, standby.dataDirectory]);
  await primary.start();
  const data = standby.dataDirectory;
  await fs.appendFile(
    path.join(data, 'postgresql.conf'),
    `port = ${standby.port}\nprimary_conninfo = 'host=127.0.0.1 port=${primary.port} user=postgres'\n`,
  );
  await fs.rm(path.join(data, 'pg_replslot'), { recursive: true });
  for (const name of ['pg_replslot', 'standby.signal']) {
    const made = path.join(data, name);
    if (name === 'pg_replslot') await fs.mkdir(made, { mode: 0o700 });
    else await fs.writeFile(made, '');
    await fs.chown(made, standby.user.uid, standby.user.gid);
  }
  await standby.start();
  return standby;
}

/** Waits until the standby has replayed up to here. */
export async function replayed(standby: TestServer, lsn: bigint): Promise<void> {
  await until(async () => {
    const [row] = await standby.sql(
      "select (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::text as at",
    );
    return BigInt(String(row?.at ?? '0')) >= lsn;
  }, 'the standby to replay');
}

/** Ends recovery: the standby becomes a primary on a timeline of its own. */
export async function promote(standby: TestServer): Promise<void> {
  await standby.sql('select pg_promote()');
}
