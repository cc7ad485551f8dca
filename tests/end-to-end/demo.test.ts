/** The demo as somebody runs it first: everything comes back exactly, and nothing is left behind. */
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import type { Outcome } from '../../examples/shop/demo/play.ts';
import { running } from './command-line.ts';
import { eventually, mountsIn, processesIn } from './site/command.ts';

const demo = path.resolve(import.meta.dirname, '../../examples/shop/demo.ts');

test('every acknowledged order and upload comes back', { timeout: 300_000 }, async () => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-shown-'));
  await fs.chmod(folder, 0o755);
  try {
    const stages = path.join(folder, 'stages');
    await fs.mkdir(stages);
    const record = path.join(folder, 'record');
    const env = { ...process.env, TMPDIR: stages };
    const words = [demo, '--json', '--record', record];
    const { code, stdout, stderr } = await running(spawn(process.execPath, words, { env })).ended;
    expect(stderr).toBe('');
    expect(code, stdout).toBe(0);
    const outcome = JSON.parse(stdout) as Outcome;
    expect(outcome).toMatchObject({ exact: true, rpo: { transactions: 0 } });
    for (const { verification, report } of [outcome.beside, outcome.inPlace]) {
      expect(verification.ordersExpected).toBeGreaterThan(300);
      expect(report.checks.map(({ verdict }) => verdict)).not.toContain('fail');
    }
    expect(outcome.damage.ordersEmptied).toBeGreaterThan(0);
    expect(outcome.ordersAfterwards).toBeGreaterThan(0);
    expect(JSON.parse(await fs.readFile(path.join(record, 'outcome.json'), 'utf8'))).toEqual({
      ...outcome,
      record: undefined,
    });
    expect(await fs.readdir(stages)).toEqual([]);
    expect(await mountsIn(stages)).toEqual([]);
    await eventually('no process to be left', async () =>
      (await processesIn(stages)).length === 0 ? true : undefined,
    );
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
});
