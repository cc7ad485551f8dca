/** The passwords of a repository: each has its own file that opens the same master key. */
import type { Secret } from '#base';
import { HoldfastError } from '#base';
import type { MasterKey } from '../crypto/master-key.ts';
import { errors } from '../errors.ts';
import { idOfName, unpackedName } from '../names.ts';
import type { Storage } from '../storage/storage.ts';
import { type KeyFile, openKeyFile, readKeyFile, writeKeyFile } from './key-file.ts';
import { DEFAULT_SCRYPT, type ScryptParameters } from './scrypt.ts';

export type KeyDescription = {
  id: string;
  created: string;
  username: string;
  hostname: string;
  /** The one that this session was opened with. */
  current: boolean;
};

export class Keys {
  readonly #storage: Storage;
  readonly #masterKey: MasterKey;
  readonly #parameters: ScryptParameters;
  #current: string;

  constructor(
    storage: Storage,
    masterKey: MasterKey,
    current: string,
    parameters: ScryptParameters = DEFAULT_SCRYPT,
  ) {
    this.#storage = storage;
    this.#masterKey = masterKey;
    this.#current = current;
    this.#parameters = parameters;
  }

  /** Id of the key file that this session was opened with. */
  get current(): string {
    return this.#current;
  }

  async list(): Promise<KeyDescription[]> {
    const { files } = await readKeyFiles(this.#storage);
    return files.map(({ id, created, username, hostname }) => ({
      id,
      created,
      username,
      hostname,
      current: id === this.#current,
    }));
  }

  /** Resolves to the new key's id. */
  add(password: Secret): Promise<string> {
    return writeKeyFile(this.#storage, this.#masterKey, password, this.#parameters);
  }

  /** By the beginning of its id. The key of this session is refused: nobody locks themselves out. */
  async remove(what: string): Promise<string> {
    const ids = (await keyIds(this.#storage)).filter((id) => id.startsWith(what));
    const [id] = ids;
    if (what === '' || id === undefined || ids.length > 1) throw errors.keyNotFound([what]);
    if (id === this.#current) throw errors.keyInUse([id]);
    await this.#storage.remove(unpackedName('keys', id));
    return id;
  }

  /** Another password instead of this session's: the new key is proven to open before the old one goes. */
  async change(password: Secret): Promise<string> {
    const fresh = await this.add(password);
    const reread = await readKeyFile(this.#storage, fresh);
    if (!(await openKeyFile(reread, password))) throw errors.keyNotFound([fresh]);
    const old = this.#current;
    this.#current = fresh;
    await this.#storage.remove(unpackedName('keys', old));
    return fresh;
  }
}

/** Tries every key. Throws `repository/wrong-password`, or `repository/no-keys` where none is usable. */
export async function openMasterKey(
  storage: Storage,
  password: Secret,
): Promise<{ masterKey: MasterKey; keyId: string }> {
  const { files, damaged } = await readKeyFiles(storage);
  if (files.length === 0) {
    throw errors.noKeys([storage.location], damaged[0] && { cause: damaged[0] });
  }
  for (const file of files) {
    const masterKey = await openKeyFile(file, password);
    if (masterKey) return { masterKey, keyId: file.id };
  }
  throw errors.wrongPassword([storage.location]);
}

export async function keyIds(storage: Storage): Promise<string[]> {
  const ids: string[] = [];
  for await (const { name } of storage.list('keys/')) {
    const id = idOfName(name);
    if (id !== undefined) ids.push(id);
  }
  return ids.sort();
}

/** One damaged key file doesn't keep the others from opening; `check` names it. */
async function readKeyFiles(
  storage: Storage,
): Promise<{ files: KeyFile[]; damaged: HoldfastError[] }> {
  const files: KeyFile[] = [];
  const damaged: HoldfastError[] = [];
  for (const id of await keyIds(storage)) {
    try {
      files.push(await readKeyFile(storage, id));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      damaged.push(error);
    }
  }
  return { files, damaged };
}
