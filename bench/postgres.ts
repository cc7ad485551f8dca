/** What Postgres' own tools do, side by side: base backups, and bringing a database back. */
import { benchBaseBackup } from './base-backup.ts';
import { benchBaseSizes } from './base-sizes.ts';
import { benchRecovery } from './recovery.ts';
import type { BenchTable } from './table.ts';

export async function benchPostgres(
  folder: string,
  bytes: number,
  runs: number,
): Promise<BenchTable[]> {
  return [
    await benchBaseBackup(folder, bytes, runs),
    await benchRecovery(folder, bytes, runs),
    await benchBaseSizes(folder, bytes, runs),
  ];
}
