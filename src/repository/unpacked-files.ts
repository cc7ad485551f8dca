/**
 * Files that are stored whole: snapshots, indexes, locks. Each is sealed and named by the SHA-256 of its stored bytes;
 * inside is JSON, in version 2 as 0x02 and zstd, else (first byte `{` or `[`) as it is. Indexes and snapshots have second
 * copies, which stand in for what is damaged.
 */
import { hash } from 'node:crypto';
import { HoldfastError, messageOf } from '#base';
import {
  copyName,
  hasCopies,
  isAbsence,
  isDamage,
  readEither,
  readVerified,
} from './copies/second-copies.ts';
import { compress, decompress, decompressInPieces } from './crypto/compression.ts';
import type { Sealer } from './crypto/sealer.ts';
import { Decompressor } from './crypto/zstd-context.ts';
import { ZSTD_MARK, zstdContentBytes } from './crypto/zstd-frame.ts';
import { errors } from './errors.ts';
import { idOfName, type UnpackedKind, unpackedName } from './names.ts';
import type { Storage } from './storage/storage.ts';

const MAX_SMALL_FILE_BYTES = 64 * 1024 * 1024;

export class UnpackedFiles {
  readonly #storage: Storage;
  readonly #sealer: Sealer;
  readonly #compressed: boolean;
  readonly #decompressor = new Decompressor();
  readonly #prepareCopies: (() => Promise<void>) | undefined;
  readonly #standIns = new Set<string>();

  /** `prepareCopies` settles what must be there before a first copy is written; without it none is. */
  constructor(
    storage: Storage,
    sealer: Sealer,
    formatVersion: number,
    prepareCopies?: () => Promise<void>,
  ) {
    this.#storage = storage;
    this.#sealer = sealer;
    this.#compressed = formatVersion >= 2;
    this.#prepareCopies = prepareCopies;
  }

  /** Names of damaged files that were read from their second copies since the last call: to be written anew. */
  takeStandIns(kind: UnpackedKind): string[] {
    const names = [...this.#standIns].filter((name) => name.startsWith(`${kind}/`));
    for (const name of names) this.#standIns.delete(name);
    return names;
  }

  /** A folder whose disk was taken away lists nothing: that is told, for who believed it would forget or remove things. */
  async list(kind: UnpackedKind): Promise<string[]> {
    const ids: string[] = [];
    for await (const file of this.#storage.list(`${kind}/`)) {
      const id = idOfName(file.name);
      if (id !== undefined && file.name === unpackedName(kind, id)) ids.push(id);
    }
    const counts = kind === 'snapshots' || kind === 'index';
    if (counts && ids.length === 0 && !(await this.#storage.stat('config'))) {
      throw errors.away([this.#storage.location]);
    }
    return ids.sort();
  }

  /** The JSON of a small file (at most 64 MiB). Throws `repository/file-damaged` naming it. */
  async read(kind: UnpackedKind, id: string): Promise<unknown> {
    const name = unpackedName(kind, id);
    const plain = await this.#open(kind, id);
    try {
      const json = isMarked(name, plain) ? this.#decompress(plain.subarray(1)) : plain;
      return JSON.parse(json.toString('utf8'));
    } catch (error) {
      throw damaged(name, error);
    }
  }

  /** The bytes hold until the next call. */
  #decompress(frame: Buffer): Buffer {
    const bytes = zstdContentBytes(frame);
    return bytes === undefined || bytes > MAX_SMALL_FILE_BYTES
      ? decompress(frame, MAX_SMALL_FILE_BYTES)
      : this.#decompressor.decompress(frame, bytes);
  }

  /** The JSON of a file that may be long, in pieces. */
  async *readInPieces(kind: UnpackedKind, id: string): AsyncIterable<Buffer> {
    const name = unpackedName(kind, id);
    const plain = await this.#open(kind, id);
    if (!isMarked(name, plain)) {
      yield plain;
      return;
    }
    try {
      yield* decompressInPieces(plain.subarray(1));
    } catch (error) {
      throw damaged(name, error);
    }
  }

  /** Durable when it resolves. Resolves to the file's id, which `prepare` is told before anything is stored. */
  async save(
    kind: UnpackedKind,
    json: string | Uint8Array,
    prepare?: (id: string) => Promise<void>,
  ): Promise<string> {
    const plain = typeof json === 'string' ? Buffer.from(json, 'utf8') : json;
    const sealed = this.#sealer.seal(
      this.#compressed ? Buffer.concat([Buffer.of(ZSTD_MARK), compress(plain)]) : plain,
    );
    const id = hash('sha256', sealed, 'hex');
    const name = unpackedName(kind, id);
    await prepare?.(id);
    await this.#storage.write(name, [sealed]);
    if (this.#prepareCopies && hasCopies(kind)) {
      await this.#prepareCopies();
      await this.#storage.write(copyName(name), [sealed]);
    }
    return id;
  }

  /** Asks where it is stored. Throws `repository/not-kept` where the storage confirmed what it didn't do. */
  async confirm(kind: UnpackedKind, id: string): Promise<void> {
    const name = unpackedName(kind, id);
    try {
      await readVerified(this.#storage, name, id, { fresh: true });
    } catch (error) {
      if (!isDamage(error) && !isAbsence(error)) throw error;
      throw errors.notKept([name, this.#storage.location], { cause: error });
    }
  }

  /** The copy goes first: one without an original would tell of something lost. */
  async remove(kind: UnpackedKind, id: string): Promise<void> {
    const name = unpackedName(kind, id);
    if (hasCopies(kind)) await this.#storage.remove(copyName(name));
    await this.#storage.remove(name);
  }

  /** The sealed bytes as they are stored, held against their name. */
  async readStored(kind: UnpackedKind, id: string): Promise<Buffer> {
    const name = unpackedName(kind, id);
    return hasCopies(kind)
      ? await readEither(this.#storage, name, id, (damaged) => {
          this.#standIns.add(damaged);
        })
      : await readVerified(this.#storage, name, id);
  }

  async #open(kind: UnpackedKind, id: string): Promise<Buffer> {
    const name = unpackedName(kind, id);
    const stored = await this.readStored(kind, id);
    try {
      return this.#sealer.open(stored);
    } catch (error) {
      throw damaged(name, error);
    }
  }
}

function isMarked(name: string, plain: Buffer): boolean {
  const first = plain[0];
  if (first === ZSTD_MARK) return true;
  if (first === 0x7b || first === 0x5b) return false;
  throw errors.fileDamaged([name, `its content begins with an unknown byte (${first})`]);
}

function damaged(name: string, error: unknown): HoldfastError {
  if (error instanceof HoldfastError && error.code !== 'repository/not-authentic') return error;
  return errors.fileDamaged([name, messageOf(error)], { cause: error });
}
