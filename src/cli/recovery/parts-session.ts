/** What the commands about parts of stores share. They work with repository and password, also beside a running server. */
import path from 'node:path';
import type { PartsOptions } from '#app/recovery';
import { createLogger } from '#base';
import type { Io } from '../command.ts';
import { errors } from '../errors.ts';
import type { Options } from './access.ts';
import { withDirectSession } from './direct.ts';

export async function withParts<T>(
  options: Options,
  io: Io,
  work: (parts: PartsOptions) => Promise<T>,
): Promise<T> {
  return await withDirectSession(options, async ({ environment, repository }) => {
    return await work({
      ...{ environment, repository },
      folder: await copiesFolder(options),
      ...(typeof options.owner === 'string' ? { owner: options.owner } : {}),
      log: createLogger(),
      progress: io.progress,
      signal: io.signal,
    });
  });
}

/** Where copies lie while they are looked at. */
async function copiesFolder(options: Options): Promise<string> {
  if (typeof options.target === 'string') return path.resolve(options.target);
  const { stateFolder } = await import('#app');
  return stateFolder().proofs;
}

export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;

/** Throws `cli/usage` where more than one store is named, or none and several could be meant. */
export function oneStore(
  named: readonly string[],
  fallback: string | undefined,
  command: string,
): string {
  const [store = fallback, ...others] = named;
  if (store === undefined || others.length > 0) {
    throw errors.usage(['--store names the one store that is meant', command]);
  }
  return store;
}

/** Nothing of production changes before somebody has seen what would. */
export async function agreeTo(question: string, options: Options, io: Io): Promise<void> {
  if (options.yes === true) return;
  const answer = await io.ask(`${question} Go on? [yes/no] `);
  if (answer === undefined) throw errors.needsTerminal([question, '--yes']);
  if (answer !== 'yes') throw errors.notAccepted(['production stays as it is']);
}
