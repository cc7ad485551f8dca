/** The passwords of a repository: each has its own file that opens the same master key. */
import type { Secret } from '#base';
import { HoldfastError } from '#base';
import { COPIES_FOLDER, copyName, readCopy } from '../copies/second-copies.ts';
import type { MasterKey } from '../crypto/master-key.ts';
import { errors } from '../errors.ts';
import { idOfName, unpackedName } from '../names.ts';
import { namesIn } from '../storage/names-in.ts';
import type { Storage } from '../storage/storage.ts';
import { decodeKeyFile, type KeyFile, openKeyFile, readKeyFile, writeKeyFile } from './key-file.ts';
import type { ScryptParameters } from './scrypt.ts';

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
  readonly #parameters: ScryptParameters | undefined;
  readonly #prepareCopies: () => Promise<void>;
  #current: string;

  constructor(
    storage: Storage,
    masterKey: MasterKey,
    current: string,
    /** Of new keys, where the password isn't to decide. */
    parameters?: ScryptParameters,
    /** Settles what must be there before a first copy is written. */
    prepareCopies: () => Promise<void> = async () => {},
  ) {
    this.#prepareCopies = prepareCopies;
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
  async add(password: Secret): Promise<string> {
    const id = await writeKeyFile(this.#storage, this.#masterKey, password, this.#parameters);
    await this.#prepareCopies();
    await writeKeyCopy(this.#storage, id);
    return id;
  }

  /** By the beginning of its id. The key of this session is refused: nobody locks themselves out. */
  async remove(what: string): Promise<string> {
    const ids = (await keyIds(this.#storage)).filter((id) => id.startsWith(what));
    const [id] = ids;
    if (what === '' || id === undefined || ids.length > 1) throw errors.keyNotFound([what]);
    if (id === this.#current) throw errors.keyInUse([id]);
    await this.#removeFile(id);
    return id;
  }

  /** Another password instead of this session's: the new key is proven to open before the old one goes. */
  async change(password: Secret): Promise<string> {
    const fresh = await this.add(password);
    const reread = await readKeyFile(this.#storage, fresh);
    if (!(await openKeyFile(reread, password))) throw errors.keyNotFound([fresh]);
    const old = this.#current;
    this.#current = fresh;
    await this.#removeFile(old);
    return fresh;
  }

  /** The copy first: it could stand in for the key that is removed. */
  async #removeFile(id: string): Promise<void> {
    await this.#storage.remove(copyName(unpackedName('keys', id)));
    await this.#storage.remove(unpackedName('keys', id));
  }
}

/** Tries every key. Throws `repository/wrong-password`, or `repository/no-keys` where none is usable. */
export async function openMasterKey(
  storage: Storage,
  password: Secret,
  onDeriving?: () => void,
): Promise<{ masterKey: MasterKey; keyId: string }> {
  const { files, damaged } = await readKeyFiles(storage);
  if (files.length === 0) files.push(...(await readLostKeys(storage)));
  if (files.length === 0) {
    throw errors.noKeys([storage.location], damaged[0] && { cause: damaged[0] });
  }
  for (const file of files) {
    const masterKey = await openKeyFile(file, password, onDeriving);
    if (masterKey) return { masterKey, keyId: file.id };
  }
  throw errors.wrongPassword([storage.location]);
}

/** By those whose originals are lost. Only where no key is left: else a copy would let in whom somebody has shut out. */
async function readLostKeys(storage: Storage): Promise<KeyFile[]> {
  const files: KeyFile[] = [];
  for (const id of await keyIds(storage, `${COPIES_FOLDER}keys/`)) {
    const file = await readKeyCopy(storage, id);
    if (file) files.push(file);
  }
  return files;
}

async function readKeyCopy(storage: Storage, id: string): Promise<KeyFile | undefined> {
  const name = unpackedName('keys', id);
  const stored = await readCopy(storage, name, id);
  return stored && decodeKeyFile(copyName(name), id, stored);
}

/** Durable when it resolves; `holdfast/format` must be there before. */
export async function writeKeyCopy(storage: Storage, id: string): Promise<void> {
  const name = unpackedName('keys', id);
  await storage.write(copyName(name), [await storage.read(name)]);
}

export async function keyIds(storage: Storage, folder = 'keys/'): Promise<string[]> {
  const ids: string[] = [];
  for await (const name of namesIn(storage, folder)) {
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
      const copy = await readKeyCopy(storage, id);
      if (copy) files.push(copy);
      else damaged.push(error);
    }
  }
  return { files, damaged };
}
