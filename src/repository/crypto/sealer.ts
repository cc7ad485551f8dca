/**
 * Authenticated encryption as in restic: `IV (16) ‖ AES-256-CTR ciphertext ‖ MAC (16)`, the MAC being Poly1305-AES over
 * the ciphertext alone with s = AES-128_k(IV) (D. J. Bernstein, "The Poly1305-AES message-authentication code", 2005).
 * Synchronous, for worker threads and small files; one sealer a thread.
 */
import { type Cipheriv, createCipheriv, createDecipheriv } from 'node:crypto';
import sodium from 'sodium-native';
import { randomBytes } from '#base';
import { errors } from '../errors.ts';
import type { MasterKey } from './master-key.ts';

const IV_BYTES = 16;
const MAC_BYTES = 16;

/** What sealing adds to the plain length. */
export const SEAL_OVERHEAD_BYTES = IV_BYTES + MAC_BYTES;

const IV_BATCH = 256;

export class Sealer {
  readonly #encryptKey: Uint8Array;
  /** Lives as long as the sealer: setting a cipher up costs more than a block. */
  readonly #macCipher: Cipheriv;
  readonly #oneTimeKey = Buffer.alloc(32);
  #ivs: Buffer = Buffer.alloc(0);
  #nextIv = 0;

  constructor(key: MasterKey) {
    this.#encryptKey = key.encrypt;
    const macCipher = createCipheriv('aes-128-ecb', key.macK, null);
    macCipher.setAutoPadding(false);
    this.#macCipher = macCipher;
    // libsodium clamps r at use, so that it doesn't matter whether it was stored clamped.
    this.#oneTimeKey.set(key.macR, 0);
  }

  /** Seals into `target` at `offset`, which must have room for the plain length plus 32. Returns the sealed length. */
  sealInto(plain: Uint8Array, target: Uint8Array, offset: number): number {
    const iv = this.#freshIv();
    const ciphertext = createCipheriv('aes-256-ctr', this.#encryptKey, iv).update(plain);
    target.set(iv, offset);
    target.set(ciphertext, offset + IV_BYTES);
    const end = offset + IV_BYTES + ciphertext.length;
    sodium.crypto_onetimeauth(
      target.subarray(end, end + MAC_BYTES),
      ciphertext,
      this.#keyForIv(iv),
    );
    return plain.length + SEAL_OVERHEAD_BYTES;
  }

  seal(plain: Uint8Array): Buffer {
    const sealed = Buffer.allocUnsafe(plain.length + SEAL_OVERHEAD_BYTES);
    this.sealInto(plain, sealed, 0);
    return sealed;
  }

  /** The plain bytes. Throws `repository/not-authentic` where a bit was changed or the key is another one. */
  open(sealed: Uint8Array): Buffer {
    if (sealed.length < SEAL_OVERHEAD_BYTES) throw errors.notAuthentic([]);
    const iv = sealed.subarray(0, IV_BYTES);
    const ciphertext = sealed.subarray(IV_BYTES, sealed.length - MAC_BYTES);
    const mac = sealed.subarray(sealed.length - MAC_BYTES);
    if (!sodium.crypto_onetimeauth_verify(mac, ciphertext, this.#keyForIv(iv))) {
      throw errors.notAuthentic([]);
    }
    return createDecipheriv('aes-256-ctr', this.#encryptKey, iv).update(ciphertext);
  }

  #keyForIv(iv: Uint8Array): Buffer {
    this.#oneTimeKey.set(this.#macCipher.update(iv), 16);
    return this.#oneTimeKey;
  }

  #freshIv(): Buffer {
    if (this.#nextIv === this.#ivs.length) {
      this.#ivs = randomBytes(IV_BYTES * IV_BATCH);
      this.#nextIv = 0;
    }
    const iv = this.#ivs.subarray(this.#nextIv, this.#nextIv + IV_BYTES);
    this.#nextIv += IV_BYTES;
    // Readers refuse an all-zero IV; so unlikely that another draw is the whole handling.
    return iv.every((byte) => byte === 0) ? this.#freshIv() : iv;
  }
}
