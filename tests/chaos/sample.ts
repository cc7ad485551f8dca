/** The repository that campaigns work on copies of, and what they ask of it. */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError, Secret } from '#base';
import { checkRepository, createRepository } from '#repository';
import { saveFiles } from '../../src/repository/saved-files.fixture.ts';
import { MemoryStorage } from '../../src/repository/storage/memory.ts';
import type { Chance } from './chance.ts';

export const PASSWORD = new Secret('chaos');
export const SCRYPT = { N: 1024, r: 8, p: 1 };

/** A repository's files by name. */
export type Files = Map<string, Buffer>;

export type Base = {
  files: Files;
  contents: ReadonlyMap<string, Buffer>;
};

/** Three snapshots that share most, parity, second copies, and records of our own. */
export async function makeBase(chance: Chance): Promise<Base> {
  const files: Files = new Map();
  const storage = new MemoryStorage('base', files);
  const repository = await createRepository({ storage, password: PASSWORD, scrypt: SCRYPT });
  await repository.parity.change({ on: true, overhead: 0.03 });
  const contents = new Map<string, Buffer>();
  for (let round = 0; round < 3; round += 1) {
    for (let number = 0; number < 6; number += 1) {
      const content = chance.bytes(200 + chance.below(120_000));
      contents.set(`round${round}/folder${number % 2}/file${number}`, content);
    }
    await saveFiles(repository, contents, 100_000);
    await repository.sealed.write(`points/shop/test/${round}`, chance.bytes(400));
  }
  await checkRepository(repository, { readData: true });
  await repository.close();
  return { files, contents };
}

/** 1 for an error that says what is wrong and what to do; anything else is thrown on. */
export function asNamed(error: unknown): 1 {
  if (!(error instanceof HoldfastError) || error.guidance === '') throw error;
  return 1;
}

export async function resticCheck(files: Files): Promise<void> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-chaos-'));
  try {
    for (const [name, bytes] of files) {
      await fs.mkdir(path.dirname(path.join(folder, name)), { recursive: true });
      await fs.writeFile(path.join(folder, name), bytes);
    }
    const env = { ...process.env, RESTIC_PASSWORD: PASSWORD.reveal() };
    const words = ['--no-cache', '-r', folder, 'check', '--read-data'];
    await promisify(execFile)('restic', words, { env });
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
}
