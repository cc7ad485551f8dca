import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const BIN = path.join(import.meta.dirname, '../../../bin/holdfast');
/** What V8 holds compiled code against before it takes it. */
const TAG = 'process.stdout.write(String(v8.cachedDataVersionTag()))';

function tagWith(flags: readonly string[]): string {
  return execFileSync(process.execPath, [...flags, '--eval', TAG], { encoding: 'utf8' });
}

test('the flags that Node is started with leave it the compiled code of its own modules', () => {
  const started = fs.readFileSync(BIN, 'utf8').match(/exec "\$node" (--.*?) "/)?.[1] ?? '';
  const flags = started.split(' ');
  expect(flags).toContain('--max-semi-space-size=8');
  expect(tagWith(flags)).toBe(tagWith([]));
  // That is what it tells: with this one, it would be compiled anew.
  expect(tagWith(['--heap-growing-percent=60'])).not.toBe(tagWith([]));
});
