/** The server's own WAL files and load, for tests. */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { segmentName, segmentStart } from '../lsn.ts';
import type { TestServer } from '../test-server.ts';

const execute = promisify(execFile);
/** Its client programs serve all versions; the others come without. */
const DEBIAN_BINARIES = '/usr/lib/postgresql/15/bin';

/** Runs pgbench; `pgbench(server, '-i')` first. */
export async function pgbench(server: TestServer, ...options: string[]): Promise<void> {
  const url = new URL(server.url());
  await execute(
    path.join(DEBIAN_BINARIES, 'pgbench'),
    [...options, '-q', '-h', url.hostname]
      .filter((option) => option !== '-q' || options.includes('-i'))
      .concat(['-p', url.port, '-U', url.username, 'postgres']),
    {
      env: { ...process.env, PGPASSWORD: server.password },
    },
  );
}

/** What pg_waldump of Postgres 15 prints of the WAL files of a server of that version. */
export async function waldump(server: TestServer, from: bigint, to: bigint): Promise<string> {
  const { stdout } = await execute(
    path.join(DEBIAN_BINARIES, 'pg_waldump'),
    ['-p', path.join(server.dataDirectory, 'pg_wal'), '-t', '1']
      .concat(['-s', `0/${from.toString(16)}`, '-e', `0/${to.toString(16)}`])
      .concat(['-r', 'Transaction', '-r', 'XLOG']),
    { env: { ...process.env, TZ: 'UTC' }, maxBuffer: 2 ** 28 },
  );
  return stdout;
}

/** Bytes [from, to) as they lie in the server's pg_wal. */
export async function walBytes(
  server: TestServer,
  span: { line: number; from: bigint; to: bigint; segmentSizeBytes?: number },
): Promise<Buffer> {
  const size = span.segmentSizeBytes ?? 2 ** 24;
  const parts: Buffer[] = [];
  for (let at = span.from; at < span.to; ) {
    const start = segmentStart(at, size);
    const end = start + BigInt(size);
    const file = path.join(server.dataDirectory, 'pg_wal', segmentName(span.line, at, size));
    const bytes = await fs.readFile(file);
    const to = span.to < end ? span.to : end;
    parts.push(bytes.subarray(Number(at - start), Number(to - start)));
    at = to;
  }
  return Buffer.concat(parts);
}
