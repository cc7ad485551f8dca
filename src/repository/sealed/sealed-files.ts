/**
 * Holdfast's own files, under `holdfast/` in the same storage (restic leaves other names alone): sealed with the
 * repository's key and bound to their names, so that an exchanged file is noticed. Inside the seal lie the length of
 * the name (uint16-LE), the name and the content as zstd, or as it is where that is no shorter.
 */
import { HoldfastError, isHoldfastError, messageOf } from '#base';
import { ownBuffer } from '../blobs/own-buffer.ts';
import { copyName, isAbsence, isCopiedRecord, isDamage } from '../copies/second-copies.ts';
import { compress, compressAside, decompress } from '../crypto/compression.ts';
import type { Sealer } from '../crypto/sealer.ts';
import type { Decompressor } from '../crypto/zstd-context.ts';
import { zstdContentBytes } from '../crypto/zstd-frame.ts';
import { errors } from '../errors.ts';
import { namesIn } from '../storage/names-in.ts';
import type { Storage } from '../storage/storage.ts';

const FOLDER = 'holdfast/';
const STORED = 0;
const ZSTD = 1;
const MAX_CONTENT_BYTES = 512 * 1024 * 1024;

/** Content at least this long is compressed at zstd's fastest level: journal pieces must be on their way in no time. */
const FAST_ABOVE_BYTES = 64 * 1024;

/** Sealed bytes: handing less to another thread takes as long as opening it. */
const ASIDE_ABOVE_BYTES = 16 * 1024;

/** Takes the stored bytes over. */
export type OpenAside = (name: string, stored: ArrayBuffer) => Promise<Buffer | undefined>;

export class SealedFiles {
  readonly #storage: Storage;
  readonly #sealer: Sealer;
  /** Settles what must be in the repository before its first file of ours. */
  readonly #prepare: () => Promise<void>;
  /** In another thread. Undefined where it can't be opened: whoever asked may open it to learn why. */
  readonly #openAside: OpenAside;
  readonly #standIns = new Set<string>();

  constructor(
    storage: Storage,
    sealer: Sealer,
    prepare: () => Promise<void>,
    openAside: OpenAside = async () => undefined,
  ) {
    this.#storage = storage;
    this.#sealer = sealer;
    this.#prepare = prepare;
    this.#openAside = openAside;
  }

  /** Before a file is put under `holdfast/` by other means than `write`. Throws `repository/newer-format`. */
  prepare(): Promise<void> {
    return this.#prepare();
  }

  /** `name` is without the prefix: `points/…`. Atomic and durable; replaces what is there. */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    await this.prepare();
    const sealed = await writeSealed(this.#storage, this.#sealer, name, bytes);
    if (isCopiedRecord(FOLDER + name)) {
      await this.#storage.write(copyName(FOLDER + name), [sealed]);
    }
  }

  /**
   * Of a record that is damaged, its second copy. Throws `repository/not-in-storage`, `repository/file-damaged` or
   * `repository/sealed-misplaced`.
   */
  async read(name: string): Promise<Buffer> {
    try {
      return await readSealed(this.#storage, this.#sealer, name);
    } catch (error) {
      if (!isUnusable(error) || !isCopiedRecord(FOLDER + name)) throw error;
      try {
        const copy = await this.#storage.read(copyName(FOLDER + name));
        const content = openSealed(this.#sealer, name, copy);
        this.#standIns.add(FOLDER + name);
        return content;
      } catch (ofCopy) {
        if (isUnusable(ofCopy) || isAbsence(ofCopy)) throw error;
        throw ofCopy;
      }
    }
  }

  /** As `read`, of what has no second copy; a large one is opened in another thread. The bytes are the caller's own. */
  async readAside(name: string): Promise<Buffer> {
    const stored = await this.#storage.read(FOLDER + name);
    if (stored.length < ASIDE_ABOVE_BYTES) return openSealed(this.#sealer, name, stored);
    return (
      (await this.#openAside(name, ownBuffer(stored))) ??
      (await readSealed(this.#storage, this.#sealer, name))
    );
  }

  /** Names (`holdfast/…`) of what was read from second copies since the last call: to be written anew. */
  takeStandIns(): string[] {
    const names = [...this.#standIns];
    this.#standIns.clear();
    return names;
  }

  async readIfThere(name: string): Promise<Buffer | undefined> {
    try {
      return await this.read(name);
    } catch (error) {
      if (isHoldfastError(error, 'repository/not-in-storage')) return undefined;
      throw error;
    }
  }

  /** Names without `holdfast/` that begin with the prefix, sorted. */
  async list(prefix: string): Promise<string[]> {
    const names: string[] = [];
    for await (const name of namesIn(this.#storage, FOLDER + prefix)) {
      names.push(name.slice(FOLDER.length));
    }
    return names.sort();
  }

  /** Removing what isn't there is no error. The copy goes first, so that it never outlives what was removed. */
  async remove(name: string): Promise<void> {
    if (isCopiedRecord(FOLDER + name)) await this.#storage.remove(copyName(FOLDER + name));
    await this.#storage.remove(FOLDER + name);
  }
}

export async function writeSealed(
  storage: Storage,
  sealer: Sealer,
  name: string,
  bytes: Uint8Array,
): Promise<Buffer> {
  const nameBytes = Buffer.from(name, 'utf8');
  const header = Buffer.alloc(3);
  header.writeUInt16LE(nameBytes.length, 0);
  const packed = bytes.length > FAST_ABOVE_BYTES ? await compressAside(bytes, 1) : compress(bytes);
  const useful = packed.length < bytes.length;
  header[2] = useful ? ZSTD : STORED;
  const sealed = sealer.seal(Buffer.concat([header, nameBytes, useful ? packed : bytes]));
  await storage.write(FOLDER + name, [sealed]);
  return sealed;
}

function isUnusable(error: unknown): boolean {
  return isDamage(error) || isHoldfastError(error, 'repository/sealed-misplaced');
}

export async function readSealed(storage: Storage, sealer: Sealer, name: string): Promise<Buffer> {
  return openSealed(sealer, name, await storage.read(FOLDER + name));
}

/**
 * With a decompressor the bytes hold until it is used again. Throws `repository/file-damaged` and
 * `repository/sealed-misplaced`.
 */
export function openSealed(
  sealer: Sealer,
  name: string,
  stored: Buffer,
  decompressor?: Decompressor,
): Buffer {
  try {
    const plain = sealer.open(stored);
    const nameEnd = 3 + plain.readUInt16LE(0);
    const inside = plain.toString('utf8', 3, nameEnd);
    if (inside !== name) throw errors.sealedMisplaced([FOLDER + name, FOLDER + inside]);
    const content = plain.subarray(nameEnd);
    if (plain[2] !== ZSTD) return content;
    const statedBytes = zstdContentBytes(content);
    return decompressor === undefined || statedBytes === undefined
      ? decompress(content, MAX_CONTENT_BYTES)
      : decompressor.decompress(content, Math.min(statedBytes, MAX_CONTENT_BYTES));
  } catch (error) {
    const known = error instanceof HoldfastError && error.code !== 'repository/not-authentic';
    if (known) throw error;
    throw errors.fileDamaged([FOLDER + name, messageOf(error)], { cause: error });
  }
}
