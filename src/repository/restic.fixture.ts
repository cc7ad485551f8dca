/** For tests: real restic, golden repositories, folders that go away. */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll } from 'vitest';
import { Secret } from '#base';
import type { ScryptParameters } from './keys/scrypt.ts';
import { openRepository } from './open.ts';
import type { Repository } from './repository.ts';
import { LocalStorage } from './storage/local/local-storage.ts';

const run = promisify(execFile);
const golden = path.join(import.meta.dirname, '../../tests/golden');

/** Weak and quick: tests prove nothing by waiting. */
export const FAST_SCRYPT: ScryptParameters = { N: 1024, r: 8, p: 1 };

/** A fresh folder, with a space in its path; removed after the tests of the file. */
export async function newFolder(): Promise<string> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast test-'));
  atTheEnd(() => fs.rm(folder, { recursive: true, force: true }));
  return folder;
}

const ends: (() => Promise<void>)[] = [];
/** After the tests of the file, the last first: vitest itself takes nothing for that any more while a test runs. */
function atTheEnd(end: () => Promise<void>): void {
  ends.push(end);
}
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

/** A copy of a golden repository, so that locks and new keys don't touch it. */
export async function copyOfGolden(name: string): Promise<string> {
  const folder = path.join(await newFolder(), name);
  await fs.cp(path.join(golden, name), folder, { recursive: true });
  return folder;
}

export const QUICK = 'quick password';

const quickOnes = new Map<string, Promise<string>>();

/** The same with one key alone, of the password QUICK, which opens at once: most tests open many times. */
export async function quickGolden(name: string): Promise<string> {
  const made = quickOnes.get(name) ?? makeQuick(name);
  quickOnes.set(name, made);
  const folder = path.join(await newFolder(), name);
  await fs.cp(await made, folder, { recursive: true });
  return folder;
}

async function makeQuick(name: string): Promise<string> {
  const folder = await copyOfGolden(name);
  const { keys } = await open(folder, 'first password');
  await keys.change(new Secret(QUICK));
  for (const { id, current } of await keys.list()) if (!current) await keys.remove(id);
  return folder;
}

/** Standard output of restic; rejects (with `stderr`) where it fails. */
export async function restic(
  repository: string,
  password: string,
  args: readonly string[],
): Promise<string> {
  const env = {
    ...process.env,
    RESTIC_PASSWORD: password,
    RESTIC_REPOSITORY: repository,
  };
  const { stdout } = await run('restic', ['--no-cache', ...args], { env, maxBuffer: 2 ** 28 });
  return stdout;
}

export async function open(folder: string, password: string): Promise<Repository> {
  const repository = await openRepository({
    storage: new LocalStorage(folder),
    password: new Secret(password),
    scrypt: FAST_SCRYPT,
  });
  atTheEnd(() => repository.close());
  return repository;
}

/** Every file of a folder, by its name below it. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .sort();
}

/** Changes a stored file in place, read-only as it is. */
export async function tamper(file: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  await fs.chmod(file, 0o600);
  await fs.writeFile(file, change(await fs.readFile(file)));
}

export function flipByte(at: number): (bytes: Buffer) => Buffer {
  return (bytes) => {
    const copy = Buffer.from(bytes);
    const place = at < 0 ? bytes.length + at : at;
    copy[place] = (copy[place] as number) ^ 0x40;
    return copy;
  };
}
