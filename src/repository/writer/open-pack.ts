import { copyInto } from '#base';
import { SEAL_OVERHEAD_BYTES, type Sealer } from '../crypto/sealer.ts';
import type { BlobType } from '../names.ts';
import { encodePackHeader, type PackedBlob } from '../pack/header.ts';
import { packIdOf } from '../pack/id.ts';
import { sealPackTail } from '../pack/tail.ts';
import type { FinishedPack, UnfinishedPack } from './messages.ts';
import type { TakePiece } from './pack-memory.ts';

/** Index files hold whole packs and at most 50,000 blobs; and a header stays far below its bound of 16 MiB. */
const MAX_BLOBS = 10_000;

/** A pack that is being filled, in pieces of memory that are handed over when it is finished. */
export class OpenPack {
  readonly #type: BlobType;
  readonly #roomBytes: number;
  readonly #take: TakePiece;
  /** The last one has room, the others are full. */
  readonly #pieces: Buffer[] = [];
  #usedOfLast = 0;
  readonly #blobs: PackedBlob[] = [];
  #used = 0;

  /** `roomBytes`: for sealed blobs. */
  constructor(type: BlobType, roomBytes: number, take: TakePiece) {
    this.#type = type;
    this.#roomBytes = roomBytes;
    this.#take = take;
  }

  get usedBytes(): number {
    return this.#used;
  }

  get isFullOfBlobs(): boolean {
    return this.#blobs.length >= MAX_BLOBS;
  }

  fits(payloadBytes: number): boolean {
    const free = this.#roomBytes - this.#used;
    return !this.isFullOfBlobs && payloadBytes + SEAL_OVERHEAD_BYTES <= free;
  }

  /** `payload`: the plain bytes, or what zstd made of them where `compressed`. */
  add(
    sealer: Sealer,
    blob: { id: Uint8Array; payload: Uint8Array; compressed: boolean; plainLength: number },
  ): void {
    const offset = this.#used;
    const length = blob.payload.length + SEAL_OVERHEAD_BYTES;
    const last = this.#pieces.at(-1);
    if (last && this.#usedOfLast + length <= last.length) {
      sealer.sealInto(blob.payload, last, this.#usedOfLast);
      this.#usedOfLast += length;
      this.#used += length;
    } else sealer.sealInSteps(blob.payload, (sealed) => this.#append(sealed));
    const { id, compressed, plainLength } = blob;
    this.#blobs.push({ type: this.#type, id, offset, length, compressed, plainLength });
  }

  finish(sealer: Sealer): FinishedPack {
    const header = encodePackHeader(this.#blobs);
    this.#append(sealPackTail(header, sealer));
    const parts = this.#parts();
    return { id: packIdOf(parts), parts, header };
  }

  /** As it is, to be joined with others. */
  unfinished(): UnfinishedPack {
    return { type: this.#type, parts: this.#parts(), header: encodePackHeader(this.#blobs) };
  }

  /** Into what is left of the last piece and as many more as it takes. */
  #append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      let last = this.#pieces.at(-1);
      if (!last || this.#usedOfLast === last.length) {
        last = this.#take();
        this.#pieces.push(last);
        this.#usedOfLast = 0;
      }
      const part = bytes.subarray(at, at + last.length - this.#usedOfLast);
      copyInto(last, part, this.#usedOfLast);
      this.#usedOfLast += part.length;
      at += part.length;
    }
    this.#used += bytes.length;
  }

  #parts(): Buffer[] {
    return this.#pieces.map((piece, place) =>
      place === this.#pieces.length - 1 ? piece.subarray(0, this.#usedOfLast) : piece,
    );
  }
}
