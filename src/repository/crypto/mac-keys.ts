/** The one-time keys of Poly1305-AES, and what is held against them. */
import { type Cipheriv, createCipheriv } from 'node:crypto';
import sodium from 'sodium-native';
import type { MasterKey } from './master-key.ts';

export const IV_BYTES = 16;
export const MAC_BYTES = 16;

/** What sealing adds to the plain length. */
export const SEAL_OVERHEAD_BYTES = IV_BYTES + MAC_BYTES;

const PAD_START = 16;

export class MacKeys {
  readonly #cipher: Cipheriv;
  readonly #oneTimeKey = Buffer.alloc(32);

  constructor(key: MasterKey) {
    this.#cipher = createCipheriv('aes-128-ecb', key.macK, null);
    this.#cipher.setAutoPadding(false);
    // libsodium clamps r at use, so that it doesn't matter whether it was stored clamped.
    this.#oneTimeKey.set(key.macR, 0);
  }

  /** Holds until the next call. */
  keyFor(iv: Uint8Array): Buffer {
    this.#oneTimeKey.set(this.#cipher.update(iv), PAD_START);
    return this.#oneTimeKey;
  }

  /** What distinguishes the keys of these IVs, which follow one another: for `isAuthentic`. */
  padsOf(ivs: Uint8Array): Buffer {
    return this.#cipher.update(ivs);
  }

  isAuthentic(sealed: Uint8Array): boolean {
    return (
      sealed.length >= SEAL_OVERHEAD_BYTES &&
      this.#fits(sealed, this.keyFor(sealed.subarray(0, IV_BYTES)))
    );
  }

  /** The same where the pad of its IV was made before, and lies there. */
  isAuthenticBy(pads: Buffer, at: number, sealed: Uint8Array): boolean {
    if (sealed.length < SEAL_OVERHEAD_BYTES) return false;
    pads.copy(this.#oneTimeKey, PAD_START, at, at + MAC_BYTES);
    return this.#fits(sealed, this.#oneTimeKey);
  }

  #fits(sealed: Uint8Array, oneTimeKey: Buffer): boolean {
    const end = sealed.length - MAC_BYTES;
    const ciphertext = sealed.subarray(IV_BYTES, end);
    return sodium.crypto_onetimeauth_verify(sealed.subarray(end), ciphertext, oneTimeKey);
  }
}
