/** `npm test`: format, lint and types first, then every test; arguments go to vitest. */
import { spawnSync } from 'node:child_process';
import { checkEverything } from './check.ts';

const filters = process.argv.slice(2);
if (filters.length === 0 && !checkEverything()) {
  process.stdout.write('0 passed, 1 failed\n');
  process.exit(1);
}
const result = spawnSync('vitest', ['run', ...filters], { stdio: 'inherit' });
process.exit(result.status ?? 1);
