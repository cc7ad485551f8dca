/** One file of `keys/`: the master key, sealed with what scrypt makes of a password. Plain JSON, in restic's order of fields. */
import { hash } from 'node:crypto';
import os from 'node:os';
import { isHoldfastError, randomBytes, type Secret, systemClock } from '#base';
import { readVerified } from '../copies/second-copies.ts';
import { type MasterKey, ownBytes } from '../crypto/master-key.ts';
import { Sealer } from '../crypto/sealer.ts';
import { errors } from '../errors.ts';
import { unpackedName } from '../names.ts';
import { goTime } from '../snapshots/go-time.ts';
import type { Storage } from '../storage/storage.ts';
import { areBearable, passwordKey, type ScryptParameters, scryptFor } from './scrypt.ts';

const SALT_BYTES = 64;

export type KeyFile = {
  id: string;
  created: string;
  username: string;
  hostname: string;
  parameters: ScryptParameters;
  salt: Buffer;
  data: Buffer;
};

/** Throws `repository/file-damaged` where it isn't a key file (its SHA-256 is its name). */
export async function readKeyFile(storage: Storage, id: string): Promise<KeyFile> {
  const name = unpackedName('keys', id);
  return decodeKeyFile(name, id, await readVerified(storage, name, id));
}

export function decodeKeyFile(name: string, id: string, stored: Buffer): KeyFile {
  const json = parseObject(name, stored);
  const { created, username, hostname, kdf, N, r, p, salt, data } = json;
  const parameters = { N, r, p } as ScryptParameters;
  if (kdf !== 'scrypt' || typeof salt !== 'string' || typeof data !== 'string') {
    throw errors.fileDamaged([name, 'it is no key']);
  }
  if (!areBearable(parameters))
    throw errors.fileDamaged([name, 'its scrypt parameters are absurd']);
  return {
    id,
    created: String(created ?? ''),
    username: String(username ?? ''),
    hostname: String(hostname ?? ''),
    parameters,
    salt: Buffer.from(salt, 'base64'),
    data: Buffer.from(data, 'base64'),
  };
}

/** Undefined where the password is another one. `onDeriving`: told when another thread has begun with it. */
export async function openKeyFile(
  file: KeyFile,
  password: Secret,
  onDeriving: () => void = () => {},
): Promise<MasterKey | undefined> {
  const deriving = passwordKey(password, file.salt, file.parameters);
  onDeriving();
  const sealer = new Sealer(await deriving);
  try {
    return decodeMasterKey(unpackedName('keys', file.id), sealer.open(file.data));
  } catch (error) {
    if (isHoldfastError(error, 'repository/not-authentic')) return undefined;
    throw error;
  }
}

/** Durable when it resolves. Resolves to the new key's id. */
export async function writeKeyFile(
  storage: Storage,
  masterKey: MasterKey,
  password: Secret,
  parameters = scryptFor(password),
): Promise<string> {
  if (password.reveal() === '') throw errors.emptyPassword([]);
  const salt = randomBytes(SALT_BYTES);
  const sealer = new Sealer(await passwordKey(password, salt, parameters));
  const stored = Buffer.from(
    JSON.stringify({
      created: goTime(systemClock.nowMs()),
      username: os.userInfo().username,
      hostname: os.hostname(),
      kdf: 'scrypt',
      ...parameters,
      salt: salt.toString('base64'),
      data: sealer.seal(encodeMasterKey(masterKey)).toString('base64'),
    }),
  );
  const id = hash('sha256', stored, 'hex');
  await storage.write(unpackedName('keys', id), [stored]);
  return id;
}

function encodeMasterKey({ encrypt, macK, macR }: MasterKey): Buffer {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  return Buffer.from(
    JSON.stringify({ mac: { k: base64(macK), r: base64(macR) }, encrypt: base64(encrypt) }),
  );
}

function decodeMasterKey(name: string, plain: Buffer): MasterKey {
  const json = parseObject(name, plain) as {
    mac?: { k?: unknown; r?: unknown } | null;
    encrypt?: unknown;
  };
  const bytes = (value: unknown, length: number): Uint8Array => {
    const decoded = Buffer.from(String(value), 'base64');
    if (decoded.length !== length) throw errors.fileDamaged([name, 'its master key is malformed']);
    return ownBytes(decoded);
  };
  return {
    encrypt: bytes(json.encrypt, 32),
    macK: bytes(json.mac?.k, 16),
    macR: bytes(json.mac?.r, 16),
  };
}

function parseObject(name: string, bytes: Buffer): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    // Without its cause, which would quote what may be a key.
    throw errors.fileDamaged([name, 'it is no JSON']);
  }
  if (typeof json !== 'object' || json === null)
    throw errors.fileDamaged([name, 'it is no object']);
  return json as Record<string, unknown>;
}
