import { writeFile } from 'node:fs/promises';
import type pg from 'pg';

export function forgetsToWait(client: pg.Client): void {
  writeFile('/dev/null', '');
  client.query('select 1');
}
