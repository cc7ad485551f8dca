import { expect } from 'vitest';
import { describeSourceConformance } from '../conformance.ts';
import { connectSql, parseConnectionUrl } from './connection/index.ts';
import { postgresSource } from './index.ts';
import { startTestServer } from './test-server.ts';
import { storeAt } from './testing.ts';

for (const major of [15, 18] as const) {
  describeSourceConformance(`postgres ${major}`, async () => {
    const server = await startTestServer({ major, initdbArguments: ['--data-checksums'] });
    await server.sql('create table numbers as select generate_series(1, 5000) n');
    const rows = 'select count(*)::int as count, sum(n)::int as sum from numbers';
    const [expected] = await server.sql(rows);
    return {
      source: postgresSource,
      store: storeAt(server),
      declared: { url: server.url() },
      absent: storeAt(server, { url: 'postgresql://nobody@127.0.0.1:1/nowhere?sslmode=disable' }),
      expectEqual: async (recovered) => {
        const { socketUrl } = recovered.facts as { socketUrl: string };
        const connection = await connectSql(parseConnectionUrl(socketUrl));
        try {
          expect(await connection.query(rows)).toEqual([expected]);
        } finally {
          await connection.close();
        }
      },
      dispose: () => server.remove(),
    };
  });
}
