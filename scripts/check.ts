/** Format, lint and types. Each tool says what is wrong; this says only whether all were content. */
import { spawnSync } from 'node:child_process';

const CHECKS: readonly (readonly string[])[] = [
  ['biome', 'check', '--error-on-warnings', '.'],
  ['tsc', '-p', '.'],
  ['oxlint', '--deny-warnings', '.'],
];

export function checkEverything(): boolean {
  let content = true;
  for (const [command, ...words] of CHECKS) {
    const result = spawnSync(command as string, words, { stdio: 'inherit' });
    if (result.status !== 0) {
      process.stderr.write(`${command} is not content: see above\n`);
      content = false;
    }
  }
  return content;
}

if (import.meta.main) process.exit(checkEverything() ? 0 : 1);
