/** Opening the repository that a data-plane command names: by option or environment, never with a password in words. */
import fs from 'node:fs/promises';
import { Secret } from '#base';
import type { Repository, Storage } from '#repository';
import type { EarlyThreads } from '#repository/unlock';
import type { CommandSpec } from '../command.ts';
import { errors } from '../errors.ts';
import { systemReason } from '../frame/failure.ts';

/** How a bucket is spoken to. */
export const STORAGE_OPTIONS: NonNullable<CommandSpec['options']> = [
  [
    '-o, --option <name=value>...',
    'of a bucket: s3.region, .addressing, .ca, .storage-class, .connections, .lock',
  ],
];

export const REPOSITORY_OPTIONS: NonNullable<CommandSpec['options']> = [
  ['-r, --repo <location>', 'where the repository lies (or HOLDFAST_REPOSITORY)'],
  ['--password-file <file>', 'file that holds its password (or HOLDFAST_PASSWORD)'],
  ...STORAGE_OPTIONS,
  ['--no-cache', 'keep nothing of a bucket on this machine'],
];

/** Of what `--repo` and `-o` name. Nothing is read yet. */
export async function storageFrom(
  location: string,
  options: Record<string, unknown>,
): Promise<Storage> {
  const { openStorage, storageOptionsOf } = await import('#repository/unlock');
  return await openStorage(location, storageOptionsOf(listOf(options.option)));
}

export function locationFrom(options: Record<string, unknown>): string {
  const location = options.repo ?? process.env.HOLDFAST_REPOSITORY;
  if (typeof location === 'string' && location !== '') return location;
  throw errors.repositoryUnnamed([]);
}

/** The first line of a file; a newline at its end isn't part of the password. */
export async function passwordIn(file: string): Promise<Secret> {
  try {
    const text = await fs.readFile(file, 'utf8');
    return new Secret(text.split(/\r?\n/, 1)[0] ?? '');
  } catch (cause) {
    throw errors.passwordFileUnreadable([file, systemReason(cause)], { cause });
  }
}

/** Throws `cli/password-unnamed` where neither option, environment nor terminal gives one. */
export async function passwordFrom(options: Record<string, unknown>): Promise<Secret> {
  if (typeof options.passwordFile === 'string') return await passwordIn(options.passwordFile);
  const { HOLDFAST_PASSWORD, HOLDFAST_PASSWORD_FILE } = process.env;
  if (HOLDFAST_PASSWORD) return new Secret(HOLDFAST_PASSWORD);
  if (HOLDFAST_PASSWORD_FILE) return await passwordIn(HOLDFAST_PASSWORD_FILE);
  throw errors.passwordUnnamed([]);
}

/** What goes on while the key is derived from the password in another thread: it takes no time then. */
type Meanwhile = {
  /** Of what `work` needs; all of the engine by default. */
  load?: () => Promise<unknown>;
  /** Those that there will soon be much to do for. */
  threads?: (storage: Storage) => Promise<keyof EarlyThreads | undefined>;
};

/** Opens, hands over, and closes whatever happens. */
export async function withRepository<T>(
  options: Record<string, unknown>,
  work: (repository: Repository) => Promise<T>,
  meanwhile?: Meanwhile,
): Promise<T> {
  const location = locationFrom(options);
  return await withRepositoryAt(location, await passwordFrom(options), work, options, meanwhile);
}

/** The same for one that other options name. */
export async function withRepositoryAt<T>(
  location: string,
  password: Secret,
  work: (repository: Repository) => Promise<T>,
  options: Record<string, unknown> = {},
  { load = () => import('#repository'), threads = async () => undefined }: Meanwhile = {},
): Promise<T> {
  const { loadOpening, readingAhead, startEarly, unlockRepository } = await import(
    '#repository/unlock'
  );
  const named = await storageFrom(location, options);
  // Nearly every command looks at snapshots; those of a bucket lie in the local cache.
  const storage = named.isRemote ? named : readingAhead(named, 'snapshots/');
  const begun = Promise.withResolvers<void>();
  const unlocking = unlockRepository(storage, password, begun.resolve);
  // The failure of either is told by whoever needs it.
  const end = () => begun.resolve();
  unlocking.then(end, end);
  // From this machine it is read in no time. Loading in between would keep the derivation from beginning.
  if (!named.isRemote) await begun.promise;
  load().catch(() => {});
  const { openUnlocked } = await loadOpening();
  // Not before: those who derive the key need the processor more.
  const kind = await threads(storage).catch(() => undefined);
  const early = kind && startEarly(kind);
  const unlocked = await unlocking;
  const nearby = options.cache === false ? { cache: false as const } : {};
  const repository = await openUnlocked(unlocked, { ...nearby, threads: early });
  try {
    return await work(repository);
  } finally {
    await repository.close();
  }
}

export const REPOSITORY_EXITS: CommandSpec['exits'] = {
  1: 'the repository or its storage failed',
  2: 'wrong usage',
  4: 'wrong password, or locked by another program',
  5: 'no such repository or snapshot',
};

/** Bytes of a name for a terminal: what isn't UTF-8 or would move the cursor is shown escaped. */
export function showBytes(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('utf8');
  const exact = Buffer.from(text, 'utf8').equals(bytes);
  const shown = exact ? text : Buffer.from(bytes).toString('latin1');
  return shown.replace(
    /[\u0000-\u001f\u007f-\u009f]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

export function listOf(value: unknown): string[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value.map(String) : [String(value)];
}
