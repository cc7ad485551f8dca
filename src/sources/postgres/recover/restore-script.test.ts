import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { restoreCommand, restoreScript, TAKEN } from './restore-script.ts';
import type { WalPlan } from './wal-plan.ts';

let folder: string;
let server: string;
beforeAll(async () => {
  const parent = await fs.mkdtemp(path.join(os.tmpdir(), "holdfast-restore-%f'-"));
  [folder, server] = [path.join(parent, 'wal'), path.join(parent, 'server')];
  await fs.mkdir(path.join(folder, TAKEN), { recursive: true });
  await fs.mkdir(server);
});
afterAll(() => fs.rm(path.dirname(folder), { recursive: true, force: true }));

const segment = (line: number, number: number) =>
  `${line.toString(16).padStart(8, '0')}00000001${number.toString(16).padStart(8, '0')}`.toUpperCase();

/** Up to segment 0x0b on timeline 9, from there on timeline 10. */
const names = [
  ...[9, 10, 11].map((number) => segment(9, number)),
  ...[12, 13].map((number) => segment(10, number)),
];
const plan: WalPlan = {
  segments: names.map((name) => ({ name, start: 0n, pieces: [] })),
  end: { line: 10, offset: 0n },
  histories: [],
};

/** The status it ends with. */
async function restore(name: string, feederPid = process.pid): Promise<number> {
  const script = path.join(folder, 'restore-wal');
  await fs.writeFile(script, restoreScript(folder, feederPid, plan), { mode: 0o600 });
  return await runAsServer(script, name);
}

/** As Postgres does it (percentrepl.c). */
async function runAsServer(script: string, name: string): Promise<number> {
  const meant: Record<string, string> = { '%f': name, '%p': 'RECOVERYXLOG', '%%': '%' };
  const command = restoreCommand(script).replaceAll(/%./g, (each) => meant[each] ?? each);
  return await new Promise((resolve) => {
    const child = execFile('/bin/sh', ['-c', command], { cwd: server });
    child.once('exit', (code) => resolve(code ?? -1));
  });
}

test('a segment is linked, once, and nothing but what is planned', async () => {
  for (const name of names) await fs.writeFile(path.join(folder, name), name);
  await fs.writeFile(path.join(folder, '0000000A.history'), 'of line 10');
  for (const name of names) {
    expect(await restore(name)).toBe(0);
    expect(await fs.readFile(path.join(server, 'RECOVERYXLOG'), 'utf8')).toBe(name);
  }
  for (const name of [
    segment(9, 8),
    segment(9, 12),
    segment(10, 11),
    segment(10, 14),
    '0000000B.history',
  ]) {
    expect(await restore(name), name).toBe(1);
  }
  expect(await restore('0000000A.history')).toBe(0);
  expect(await fs.readFile(path.join(server, 'RECOVERYXLOG'), 'utf8')).toBe('of line 10');
});

test('it waits for what is planned until that comes, or says to stop where it never will', async () => {
  const [name = ''] = names;
  await fs.rm(path.join(folder, TAKEN, name));
  await fs.rm(path.join(folder, name));
  const waiting = restore(name);
  await fs.writeFile(path.join(folder, name), 'came');
  expect(await waiting).toBe(0);
  await fs.rm(path.join(folder, TAKEN, name));
  await fs.rm(path.join(folder, name));
  const GONE = 2 ** 22 + 1;
  expect(await restore(name, GONE)).toBe(200);
  await fs.writeFile(path.join(folder, 'failed'), '');
  expect(await restore(name)).toBe(200);
});

test('a server whose script was taken away stops', async () => {
  expect(await runAsServer(path.join(folder, 'none'), names[0] ?? '')).toBe(200);
});
