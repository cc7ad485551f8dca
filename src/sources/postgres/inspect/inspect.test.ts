import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '#base';
import type { Inspection } from '../../source.ts';
import { captureBase } from '../base/capture.ts';
import { connectReplication, parseConnectionUrl } from '../connection/index.ts';
import { startTestServer, type TestServer } from '../test-server.ts';
import { contextIn, storeAt } from '../testing.ts';
import { inspectPostgres } from './inspect.ts';

function look(server: TestServer, url: string, own = {}): Promise<Inspection> {
  return inspectPostgres(storeAt(server, { url, ...own }), contextIn(server.folder));
}

function codes(inspection: Inspection, severity?: string): string[] {
  return inspection.findings
    .filter((finding) => severity === undefined || finding.severity === severity)
    .map((finding) => finding.code);
}

describe('a server with much to say', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({
      major: 15,
      settings: { max_slot_wal_keep_size: '-1', max_wal_senders: '1', archive_mode: 'on' },
      hostEntries: ['host replication unlisted 127.0.0.1/32 reject'],
    });
    const outside = path.join(server.folder, 'hba-outside.conf');
    await fs.copyFile(path.join(server.dataDirectory, 'pg_hba.conf'), outside);
    await fs.chown(outside, server.user.uid, server.user.gid);
    await server.sql(
      `alter system set hba_file = '${outside}'`,
      "create role plain login password 'x'",
      "create role bare login replication password 'x'",
      "create role unlisted login replication password 'x'",
      'create unlogged table scratchpad (id int)',
    );
    await server.stop();
    await server.start();
  });
  afterAll(() => server.remove());

  test('is described with what mends it', async () => {
    const seen = await look(server, server.url());
    expect(codes(seen, 'refuse')).toEqual(['slot-unbounded']);
    expect(codes(seen)).toEqual(
      expect.arrayContaining(['unlogged-tables', 'archive-mode', 'config-outside', 'copy-memory']),
    );
    expect(seen.findings.find(({ code }) => code === 'slot-unbounded')?.mend).toContain(
      "ALTER SYSTEM SET max_slot_wal_keep_size = '20GB'",
    );
    expect(seen.sizeBytes).toBeGreaterThan(16 * 2 ** 20);
    const accepted = await look(server, server.url(), { acceptUnboundedSlot: true });
    expect(codes(accepted, 'refuse')).toEqual([]);
  });

  test('a role with REPLICATION alone can be looked with', async () => {
    const seen = await look(server, server.url('bare', 'x'));
    expect(codes(seen, 'refuse')).toEqual(['slot-unbounded']);
    expect(seen.findings.find(({ code }) => code === 'not-monitor')?.mend).toBe(
      'GRANT pg_monitor TO "bare";',
    );
  });

  test('a role without REPLICATION is refused, in plan and in capture', async () => {
    const seen = await look(server, server.url('plain', 'x'));
    expect(codes(seen, 'refuse')).toContain('no-replication-right');
    expect(seen.findings.find(({ code }) => code === 'no-replication-right')?.mend).toBe(
      'ALTER ROLE "plain" REPLICATION;',
    );
    await expect(
      captureBase(storeAt(server, { url: server.url('plain', 'x') }), contextIn(server.folder)),
    ).rejects.toMatchObject({ code: 'postgres/not-replication-role', kind: 'refused' });
  });

  test('a missing entry of pg_hba.conf is named', async () => {
    const seen = await look(server, server.url('unlisted', 'x'));
    expect(codes(seen, 'refuse')).toContain('no-replication-entry');
  });

  test('a wrong password and a closed port are told apart', async () => {
    expect(codes(await look(server, server.url('bare', 'wrong')))).toEqual(['wrong-password']);
    const nobody = `postgresql://a:b@127.0.0.1:${await freePort()}/postgres`;
    const seen = await look(server, nobody);
    expect([seen.reachable, codes(seen)]).toEqual([false, ['unreachable']]);
    expect(JSON.stringify(seen)).not.toContain('wrong"');
  });

  test('the last WAL sender taken is told', async () => {
    const taken = await connectReplication(parseConnectionUrl(server.url()));
    try {
      const seen = await look(server, server.url());
      expect(codes(seen, 'refuse')).toContain('wal-senders-few');
      await expect(captureBase(storeAt(server), contextIn(server.folder))).rejects.toMatchObject({
        code: 'postgres/no-free-wal-sender',
        retryable: true,
      });
    } finally {
      await taken.close();
    }
  });
});

test('wal_level=minimal is refused, in plan and in capture', async () => {
  const server = await startTestServer({
    major: 18,
    settings: { wal_level: 'minimal', max_wal_senders: '0' },
  });
  try {
    const seen = await look(server, server.url());
    expect(codes(seen, 'refuse')).toContain('wal-level-minimal');
    await expect(captureBase(storeAt(server), contextIn(server.folder))).rejects.toMatchObject({
      code: 'postgres/wal-level-minimal',
    });
  } finally {
    await server.remove();
  }
});
