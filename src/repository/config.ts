/** The repository's `config` file: sealed JSON, never compressed. */
import { HoldfastError, isHoldfastError, messageOf } from '#base';
import { newPolynomial } from './chunker-polynomial.ts';
import { copyName, isAbsence } from './copies/second-copies.ts';
import type { Sealer } from './crypto/sealer.ts';
import { errors } from './errors.ts';
import { isId, newId } from './names.ts';
import type { Storage } from './storage/storage.ts';

export const NEWEST_FORMAT = 2;
export const CONFIG_NAME = 'config';

export type RepositoryConfig = {
  /** 1 is only read; 2 is read and written. */
  version: number;
  /** 64 hex digits. */
  id: string;
  /** Rabin polynomial of restic's chunker: hex, irreducible, of degree 53. */
  chunkerPolynomial: string;
};

export function newConfig(): RepositoryConfig {
  return { version: NEWEST_FORMAT, id: newId(), chunkerPolynomial: newPolynomial() };
}

export async function writeConfig(
  storage: Storage,
  sealer: Sealer,
  config: RepositoryConfig,
): Promise<void> {
  const { version, id, chunkerPolynomial } = config;
  const json = JSON.stringify({ version, id, chunker_polynomial: chunkerPolynomial });
  await storage.write(CONFIG_NAME, [sealer.seal(Buffer.from(json))]);
}

/**
 * From its second copy where it is damaged or absent. Throws `repository/bad-config`, and `repository/newer-format` where
 * this Holdfast is too old.
 */
export async function readConfig(storage: Storage, sealer: Sealer): Promise<RepositoryConfig> {
  try {
    return parseConfig(storage, sealer, await storage.read(CONFIG_NAME));
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code === 'repository/newer-format') throw error;
    const copy = await readConfigCopy(storage, sealer);
    if (!copy) throw error;
    return parseConfig(storage, sealer, copy);
  }
}

/** The stored bytes of the second copy; undefined where it isn't whole. */
export async function readConfigCopy(
  storage: Storage,
  sealer: Sealer,
): Promise<Buffer | undefined> {
  try {
    const stored = await storage.read(copyName(CONFIG_NAME));
    parseConfig(storage, sealer, stored);
    return stored;
  } catch (error) {
    if (isHoldfastError(error, 'repository/bad-config') || isAbsence(error)) return undefined;
    throw error;
  }
}

/** A repository is there though its config may be lost, as long as there is a copy of that. */
export async function hasConfig(storage: Storage): Promise<boolean> {
  return (
    (await storage.stat(CONFIG_NAME)) !== undefined ||
    (await storage.stat(copyName(CONFIG_NAME))) !== undefined
  );
}

export function parseConfig(storage: Storage, sealer: Sealer, stored: Buffer): RepositoryConfig {
  const json = openConfig(sealer, stored);
  const { version, id, chunker_polynomial: chunkerPolynomial } = json;
  if (!Number.isInteger(version) || (version as number) < 1) {
    throw errors.badConfig(['it has no version']);
  }
  if ((version as number) > NEWEST_FORMAT) {
    throw errors.newerFormat([storage.location, version as number, NEWEST_FORMAT]);
  }
  if (typeof id !== 'string' || !isId(id)) throw errors.badConfig(['it has no id']);
  if (typeof chunkerPolynomial !== 'string' || !/^[0-9a-f]{1,16}$/.test(chunkerPolynomial)) {
    throw errors.badConfig(['it has no polynomial']);
  }
  return { version: version as number, id, chunkerPolynomial };
}

function openConfig(sealer: Sealer, stored: Buffer): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(sealer.open(stored).toString('utf8'));
    if (typeof json === 'object' && json !== null) return json as Record<string, unknown>;
  } catch (error) {
    if (error instanceof HoldfastError || error instanceof SyntaxError) {
      throw errors.badConfig([messageOf(error)], { cause: error });
    }
    throw error;
  }
  throw errors.badConfig(['it is no JSON object']);
}
