import { hash } from 'node:crypto';
import { SEAL_OVERHEAD_BYTES, type Sealer } from '../crypto/sealer.ts';
import type { BlobType } from '../names.ts';
import { encodePackHeader, type PackedBlob } from '../pack/header.ts';
import { sealPackTail } from '../pack/tail.ts';
import type { FinishedPack, UnfinishedPack } from './messages.ts';

/** Index files hold whole packs and at most 50,000 blobs; and a header stays far below its bound of 16 MiB. */
const MAX_BLOBS = 10_000;
/** Enough for the header of so many blobs. */
const TAIL_ROOM_BYTES = 512 * 1024;
/** A pack that is being filled, in memory that is handed over as a whole when it is finished. */
export class OpenPack {
  readonly #type: BlobType;
  readonly #roomBytes: number;
  #buffer: Buffer;
  readonly #blobs: PackedBlob[] = [];
  #used = 0;

  /** `roomBytes`: for sealed blobs. `firstRoomBytes`: memory to begin with, where more is unlikely to be needed. */
  constructor(type: BlobType, roomBytes: number, firstRoomBytes?: number) {
    this.#type = type;
    this.#roomBytes = roomBytes;
    this.#buffer = Buffer.allocUnsafeSlow(firstRoomBytes ?? this.#wholeBytes());
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
    this.#makeRoom(blob.payload.length + SEAL_OVERHEAD_BYTES);
    const length = sealer.sealInto(blob.payload, this.#buffer, this.#used);
    this.#blobs.push({
      type: this.#type,
      id: blob.id,
      offset: this.#used,
      length,
      compressed: blob.compressed,
      plainLength: blob.plainLength,
    });
    this.#used += length;
  }

  finish(sealer: Sealer): FinishedPack {
    const header = encodePackHeader(this.#blobs);
    const tail = sealPackTail(header, sealer);
    this.#makeRoom(tail.length);
    this.#buffer.set(tail, this.#used);
    const bytes = this.#buffer.subarray(0, this.#used + tail.length);
    return { id: hash('sha256', bytes, 'hex'), bytes, header };
  }

  /** As it is, to be joined with others. */
  unfinished(): UnfinishedPack {
    const bytes = this.#buffer.subarray(0, this.#used);
    return { type: this.#type, bytes, header: encodePackHeader(this.#blobs) };
  }

  #wholeBytes(): number {
    return this.#roomBytes + TAIL_ROOM_BYTES;
  }

  #makeRoom(bytes: number): void {
    if (this.#used + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(this.#wholeBytes());
    this.#buffer.copy(larger, 0, 0, this.#used);
    this.#buffer = larger;
  }
}
