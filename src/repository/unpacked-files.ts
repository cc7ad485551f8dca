/**
 * Files that are stored whole: snapshots, indexes, locks. Each is sealed and named by the SHA-256 of its stored bytes;
 * inside is JSON (see `openUnpacked`). Indexes and snapshots have second copies, which stand in for what is damaged.
 */
import { hash } from 'node:crypto';
import {
  copyName,
  hasCopies,
  isAbsence,
  isDamage,
  readEither,
  readVerified,
} from './copies/second-copies.ts';
import { compress, decompressInPieces } from './crypto/compression.ts';
import type { Sealer } from './crypto/sealer.ts';
import { Decompressor } from './crypto/zstd-context.ts';
import { ZSTD_MARK } from './crypto/zstd-frame.ts';
import { errors } from './errors.ts';
import { inLanes } from './in-lanes.ts';
import { idOfName, type UnpackedKind, unpackedName } from './names.ts';
import { contentsOf, type OpenedFiles } from './sealed/many-unpacked.ts';
import { damaged, namingDamage, openUnpacked, unsealUnpacked } from './sealed/open-unpacked.ts';
import { namesIn } from './storage/names-in.ts';
import { FILES_WORTH_THREADS } from './storage/reading-ahead.ts';
import type { Storage } from './storage/storage.ts';

const READS_AT_ONCE = 16;

const FILES_TOGETHER = 500;
const SLICES_AT_ONCE = 8;

export type UnpackedAside = {
  /** Settles what must be there before a first copy is written; without it none is. */
  prepareCopies?: () => Promise<void>;
  /** In other threads. */
  openMany?: ((files: readonly { name: string; id: string }[]) => Promise<OpenedFiles>) | undefined;
};

export class UnpackedFiles {
  readonly #storage: Storage;
  readonly #opener: { sealer: Sealer; decompressor: Decompressor };
  readonly #compressed: boolean;
  readonly #aside: UnpackedAside;
  readonly #standIns = new Set<string>();

  constructor(storage: Storage, sealer: Sealer, formatVersion: number, aside: UnpackedAside = {}) {
    this.#storage = storage;
    this.#opener = { sealer, decompressor: new Decompressor() };
    this.#compressed = formatVersion >= 2;
    this.#aside = aside;
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
    for await (const name of namesIn(this.#storage, `${kind}/`)) {
      const id = idOfName(name);
      if (id !== undefined && name === unpackedName(kind, id)) ids.push(id);
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
    const stored = await this.readStored(kind, id);
    return parse(name, openUnpacked(this.#opener, name, stored));
  }

  /**
   * As `read`, of very many: in other threads, where they can read what lies on this machine. `take` gets each once, in no
   * order, as JSON or by what `read` throws of it; where it throws, so does the call.
   */
  async readEach(
    kind: UnpackedKind,
    ids: readonly string[],
    take: (id: string, read: { json: unknown } | { error: unknown }) => void,
  ): Promise<void> {
    const readOne = async (id: string) => {
      take(id, await this.read(kind, id).then(asJson, asError));
    };
    const { openMany } = this.#aside;
    if (!openMany || ids.length < FILES_WORTH_THREADS) return inLanes(ids, READS_AT_ONCE, readOne);
    await inLanes(slices(ids, FILES_TOGETHER), SLICES_AT_ONCE, async (some) => {
      const names = some.map((id) => ({ name: unpackedName(kind, id), id }));
      const contents = contentsOf(await openMany(names));
      for (const [at, { name, id }] of names.entries()) {
        const content = contents[at];
        if (content) take(id, parsed(name, content));
        else await readOne(id);
      }
    });
  }

  /** The JSON of a file that may be long, in pieces. */
  async *readInPieces(kind: UnpackedKind, id: string): AsyncIterable<Buffer> {
    const name = unpackedName(kind, id);
    const { sealer } = this.#opener;
    const { compressed, bytes } = unsealUnpacked(sealer, name, await this.readStored(kind, id));
    if (!compressed) {
      yield bytes;
      return;
    }
    try {
      yield* decompressInPieces(bytes);
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
    const sealed = this.#opener.sealer.seal(
      this.#compressed ? Buffer.concat([Buffer.of(ZSTD_MARK), compress(plain)]) : plain,
    );
    const id = hash('sha256', sealed, 'hex');
    const name = unpackedName(kind, id);
    await prepare?.(id);
    await this.#storage.write(name, [sealed]);
    const { prepareCopies } = this.#aside;
    if (prepareCopies && hasCopies(kind)) {
      await prepareCopies();
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
}

function parse(name: string, content: Buffer): unknown {
  return namingDamage(name, () => JSON.parse(content.toString('utf8')));
}

function parsed(name: string, content: Buffer) {
  try {
    return asJson(parse(name, content));
  } catch (error) {
    return asError(error);
  }
}

const asJson = (json: unknown) => ({ json });
const asError = (error: unknown) => ({ error });

function* slices<T>(items: readonly T[], length: number): Iterable<T[]> {
  for (let at = 0; at < items.length; at += length) yield items.slice(at, at + length);
}
