/** Opens the blobs of packs one after another: small ones in company, all with contexts that are used again. */
import { ManyOpener } from '../crypto/many-opener.ts';
import type { MasterKey } from '../crypto/master-key.ts';
import { Sealer } from '../crypto/sealer.ts';
import { Decompressor } from '../crypto/zstd-context.ts';
import { errors } from '../errors.ts';
import type { PackedBlob } from '../pack/header.ts';
import { type OpenedBlob, openPacked, openPayload } from './open-blob.ts';

/** Throws `repository/blob-damaged`. What it gives holds until the next blob is opened. */
export type OpenBlob = () => OpenedBlob;

/** One a thread. */
export class BlobOpener {
  readonly sealer: Sealer;
  readonly decompressor = new Decompressor();
  readonly #many: ManyOpener;

  constructor(key: MasterKey) {
    this.sealer = new Sealer(key);
    this.#many = new ManyOpener(key);
  }

  /** `onBlob` is told of each in turn, and opens it before it returns. `bytes`: where the offsets begin. */
  openEach(
    packId: string,
    bytes: Uint8Array,
    blobs: readonly PackedBlob[],
    onBlob: (blob: PackedBlob, open: OpenBlob) => void,
  ): void {
    for (let at = 0; at < blobs.length; ) {
      const count = this.#many.countFrom(blobs, at);
      if (count > 1) this.#openTogether(packId, bytes, blobs.slice(at, at + count), onBlob);
      else {
        const blob = blobs[at] as PackedBlob;
        const sealed = sealedOf(bytes, blob);
        onBlob(blob, () => openPacked(this.sealer, blob, packId, sealed, this.decompressor));
      }
      at += Math.max(count, 1);
    }
  }

  #openTogether(
    packId: string,
    bytes: Uint8Array,
    blobs: readonly PackedBlob[],
    onBlob: (blob: PackedBlob, open: OpenBlob) => void,
  ): void {
    const sealed: Uint8Array[] = [];
    for (const blob of blobs) sealed.push(sealedOf(bytes, blob));
    const payloads = this.#many.open(sealed);
    for (let i = 0; i < blobs.length; i += 1) {
      const blob = blobs[i] as PackedBlob;
      onBlob(blob, () => openPayload(() => orRefuse(payloads[i]), blob, packId, this.decompressor));
    }
  }
}

function orRefuse(payload: Buffer | undefined): Buffer {
  if (!payload) throw errors.notAuthentic([]);
  return payload;
}

/** Less than the blob where the pack is cut off. */
function sealedOf(bytes: Uint8Array, { offset, length }: PackedBlob): Uint8Array {
  return bytes.subarray(offset, offset + length);
}
