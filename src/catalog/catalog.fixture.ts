/** Opens a catalog, writes one row, says so, and waits to be killed. */
import { quietLogger, sleepMs } from '#base';
import { openCatalog } from './catalog.ts';
import { saveMark } from './queries/records.ts';

const folder = process.argv[2] as string;
const catalog = await openCatalog({ kind: 'embedded', folder, log: quietLogger });
await saveMark(catalog.pool, {
  id: 'kept',
  environment: 'shop',
  stage: 'production',
  kind: 'acknowledged',
  atMs: 0,
  record: {},
});
process.stdout.write('acknowledged\n');
await sleepMs(600_000);
