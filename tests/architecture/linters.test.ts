/** The linters are tested themselves: a linter that passes silently is worse than none. */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const planted = 'tests/architecture/planted';

test('oxlint finds the planted floating promises and the planted cycle', () => {
  const result = spawnSync('oxlint', ['-c', `${planted}/oxlint.json`, '--format=unix', planted], {
    cwd: root,
    encoding: 'utf8',
  });
  expect(result.stdout).toMatch(/floating-promise\.ts:5/);
  expect(result.stdout).toMatch(/floating-promise\.ts:6/);
  expect(result.stdout).toMatch(/no-cycle/);
  expect(result.status).not.toBe(0);
});
