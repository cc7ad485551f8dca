/** On a real Postgres, by a real process that is killed. */
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const fixture = fileURLToPath(new URL('jobs.fixture.ts', import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-jobs-'));
  await fs.chmod(folder, 0o755);
});
afterAll(() => fs.rm(folder, { recursive: true, force: true }));

function run(...args: string[]) {
  const child = spawn(process.execPath, [fixture, folder, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (bytes) => {
    output += bytes;
  });
  const said = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (output.includes(text)) resolve();
      };
      child.stdout.on('data', look);
      child.on('close', () => reject(new Error(`ended before saying ${text}: ${output}`)));
      look();
    });
  const ended = new Promise<string>((resolve) => child.on('close', () => resolve(output)));
  return { child, said, ended };
}

test('a job that was cut by kill -9 goes on after a restart, and what was done is not done twice', async () => {
  const first = run('stall');
  await first.said('quick is recorded');
  await first.said('began slow');
  first.child.kill('SIGKILL');
  await first.ended;
  const second = run('finish');
  const output = await second.ended;
  expect(output).toContain('began slow');
  expect(output).not.toContain('ran quick');
  expect(output).toContain('slow ended {"ok":true,"value":"slow is done"}');
  expect(output).toContain('failing ended {"ok":false');
  expect(output).toContain('Mend it.');
  expect(output).toContain('ticked');
});
