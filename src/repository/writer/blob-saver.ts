import { hash } from 'node:crypto';
import { randomBytes } from '#base';
import { MAX_CHUNK_BYTES } from '../chunking/content-cutter.ts';
import type { Compression } from '../crypto/compression.ts';
import { SEAL_OVERHEAD_BYTES, type Sealer } from '../crypto/sealer.ts';
import type { Compressor } from '../crypto/zstd-context.ts';
import { BlobTable } from '../index/blob-table.ts';
import type { BlobType } from '../names.ts';
import { ClaimTable } from './claim-table.ts';
import type { FinishedPack, SessionSetup, UnfinishedPack } from './messages.ts';
import { OpenPack } from './open-pack.ts';
import { createPackMemory, type TakePiece, takePiece } from './pack-memory.ts';

/** Below this zstd's own frame eats up what it saves. */
const LEAST_COMPRESSED_BYTES = 64;
/**
 * Blobs go into one of so many open packs by chance, so that the order and sizes of blobs in a pack don't tell of the
 * file that they are from (see restic's release notes of 0.18).
 */
const OPEN_PACKS = 2;
const DICE_BYTES = 256;
/** Of what has no part in shared memory. */
const ownPiece = () => Buffer.allocUnsafeSlow(256 * 1024);

export type Compressors = Readonly<Record<Compression, Compressor>>;

/**
 * As much as the packs need that so many threads fill, three quarters full at most as a rule, and one that is being stored.
 * What is needed beyond that for a moment isn't kept for all of the session; but each such piece counts as new memory
 * where it is stored, and a few of them bring the garbage collector.
 */
export function memoryForPacks(threads: number, packSizeBytes: number): SharedArrayBuffer {
  return createPackMemory((threads * OPEN_PACKS * 0.75 + 1) * packSizeBytes);
}

/** Turns plain bytes into sealed blobs in packs; one a thread and session. */
export class BlobSaver {
  readonly #sealer: Sealer;
  readonly #compressors: Compressors;
  readonly #known: BlobTable;
  readonly #claims: ClaimTable;
  readonly #packSizeBytes: number;
  readonly #take: Readonly<Record<BlobType, TakePiece>>;
  readonly #onPack: (pack: FinishedPack) => void;
  readonly #open: Record<BlobType, (OpenPack | undefined)[]> = { data: [], tree: [] };
  #dice: Buffer = Buffer.alloc(0);
  #thrown = 0;

  constructor(
    sealer: Sealer,
    compressors: Compressors,
    setup: SessionSetup,
    onPack: (pack: FinishedPack) => void,
  ) {
    this.#sealer = sealer;
    this.#compressors = compressors;
    this.#known = new BlobTable(setup.known);
    this.#claims = new ClaimTable(setup.claims);
    this.#packSizeBytes = setup.packSizeBytes;
    const { packMemory } = setup;
    // Trees are few: what is shared is for data.
    this.#take = { tree: ownPiece, data: packMemory ? () => takePiece(packMemory) : ownPiece };
    this.#onPack = onPack;
  }

  /** Returns the id, and whether the blob was new and went into a pack. */
  save(
    type: BlobType,
    plain: Uint8Array,
    compression: Compression = 'usual',
  ): { id: Buffer; isNew: boolean } {
    const id = hash('sha256', plain, 'buffer');
    const isNew = !this.#known.has(type, id) && this.#claims.claim(type, id);
    if (isNew) this.#pack(type, id, plain, this.#compressors[compression]);
    return { id, isNew };
  }

  /** Hands out the packs that aren't full. */
  drain(): UnfinishedPack[] {
    const unfinished: UnfinishedPack[] = [];
    for (const packs of Object.values(this.#open)) {
      for (const pack of packs.splice(0)) if (pack) unfinished.push(pack.unfinished());
    }
    return unfinished;
  }

  #pack(type: BlobType, id: Buffer, plain: Uint8Array, compressor: Compressor): void {
    const squeezed = plain.length < LEAST_COMPRESSED_BYTES ? undefined : compressor.compress(plain);
    // restic always compresses trees in this version of the format.
    const compressed =
      squeezed !== undefined && (type === 'tree' || squeezed.length < plain.length);
    const payload = compressed ? squeezed : plain;
    const blob = { id, payload, compressed, plainLength: plain.length };
    if (payload.length + SEAL_OVERHEAD_BYTES >= this.#packSizeBytes) {
      const own = new OpenPack(type, payload.length + SEAL_OVERHEAD_BYTES, this.#take[type]);
      own.add(this.#sealer, blob);
      this.#onPack(own.finish(this.#sealer));
      return;
    }
    const place = this.#throwDice();
    const pack = this.#packWithRoom(type, place, payload.length);
    pack.add(this.#sealer, blob);
    if (pack.usedBytes >= this.#packSizeBytes || pack.isFullOfBlobs) this.#finish(type, place);
  }

  #packWithRoom(type: BlobType, place: number, payloadBytes: number): OpenPack {
    if (this.#open[type][place]?.fits(payloadBytes) === false) this.#finish(type, place);
    let pack = this.#open[type][place];
    if (!pack) {
      // The last blob may go over the size.
      pack = new OpenPack(type, this.#packSizeBytes + MAX_CHUNK_BYTES, this.#take[type]);
      this.#open[type][place] = pack;
    }
    return pack;
  }

  #finish(type: BlobType, place: number): void {
    const pack = this.#open[type][place] as OpenPack;
    this.#open[type][place] = undefined;
    this.#onPack(pack.finish(this.#sealer));
  }

  #throwDice(): number {
    if (this.#thrown === this.#dice.length) {
      this.#dice = randomBytes(DICE_BYTES);
      this.#thrown = 0;
    }
    this.#thrown += 1;
    return (this.#dice[this.#thrown - 1] as number) % OPEN_PACKS;
  }
}
