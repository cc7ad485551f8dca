import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { Secret } from '#base';
import { createRepository, openRepository, openStorage, type Repository } from '#repository';

export const PASSWORD = 'correct horse';
/** Quick to derive; these repositories protect nothing. */
const SCRYPT = { N: 1024, r: 8, p: 1 };

/** Runs restic on the repository in `scratch`, and gives its output's bytes. Throws where it exits with another code than 0. */
export function restic(
  scratch: string,
  words: readonly string[],
  env: Record<string, string> = {},
): Buffer {
  return execFileSync('restic', words, {
    env: {
      ...process.env,
      RESTIC_PASSWORD: PASSWORD,
      RESTIC_REPOSITORY: repositoryIn(scratch),
      RESTIC_CACHE_DIR: path.join(scratch, 'cache'),
      ...env,
    },
    maxBuffer: 256 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

export function repositoryIn(scratch: string): string {
  return path.join(scratch, 'repository');
}

export async function createIn(scratch: string): Promise<Repository> {
  const storage = await openStorage(repositoryIn(scratch));
  return createRepository({ storage, password: new Secret(PASSWORD), scrypt: SCRYPT });
}

export async function openIn(scratch: string): Promise<Repository> {
  const storage = await openStorage(repositoryIn(scratch));
  const repository = await openRepository({ storage, password: new Secret(PASSWORD) });
  await repository.loadIndex();
  return repository;
}
