/**
 * Authenticated encryption as in restic: `IV (16) ‖ AES-256-CTR ciphertext ‖ MAC (16)`, the MAC being Poly1305-AES over
 * the ciphertext alone with s = AES-128_k(IV) (D. J. Bernstein, "The Poly1305-AES message-authentication code", 2005).
 * Synchronous, for worker threads and small files; one sealer a thread.
 */
import {
  type Cipheriv,
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type KeyObject,
} from 'node:crypto';
import sodium from 'sodium-native';
import { copyInto, freeNow, randomBytes } from '#base';
import { errors } from '../errors.ts';
import { IV_BYTES, MAC_BYTES, MacKeys, SEAL_OVERHEAD_BYTES } from './mac-keys.ts';
import type { MasterKey } from './master-key.ts';
import { MOST_SCRATCH_BYTES, Scratch } from './scratch.ts';

export { SEAL_OVERHEAD_BYTES };

const BLOCK_BYTES = 16;
/**
 * Memory of that size is had again as soon as it is freed: what is larger goes back to the system, and comes with pages to
 * be cleared.
 */
const STEP_BYTES = 64 * 1024;
const IN_PLACE_BYTES = 1024 * 1024;
const PADDING = Buffer.alloc(BLOCK_BYTES);

export class Sealer {
  /** Node takes four times as long to set up a cipher from raw bytes. */
  readonly #encryptKey: KeyObject;
  readonly #macKeys: MacKeys;
  /**
   * One stream of CTR blocks for everything that this sealer seals: what is sealed next begins where the last ended, at
   * a block of its own, and its IV is the counter there. So no counter is used twice, as with an IV of its own chance
   * for each, and no cipher has to be set up for each blob (which takes longer than encrypting a small one).
   */
  readonly #stream: Cipheriv;
  readonly #counter: Buffer;
  readonly #scratch = new Scratch();

  constructor(key: MasterKey) {
    this.#encryptKey = createSecretKey(key.encrypt);
    this.#counter = randomBytes(IV_BYTES);
    this.#stream = createCipheriv('aes-256-ctr', this.#encryptKey, this.#counter);
    this.#macKeys = new MacKeys(key);
  }

  /** Seals into `target` at `offset`, which must have room for the plain length plus 32. Returns the sealed length. */
  sealInto(plain: Uint8Array, target: Uint8Array, offset: number): number {
    if (isZero(this.#counter)) this.#skipBlock();
    const iv = target.subarray(offset, offset + IV_BYTES);
    iv.set(this.#counter);
    const begin = offset + IV_BYTES;
    const end = begin + plain.length;
    let at = begin;
    for (const step of stepsOf(plain)) {
      const ciphertext = this.#stream.update(step);
      copyInto(target, ciphertext, at);
      at += step.length;
      freeLarge(ciphertext);
    }
    this.#endMessage(plain.length);
    sodium.crypto_onetimeauth(
      target.subarray(end, end + MAC_BYTES),
      target.subarray(begin, end),
      this.#macKeys.keyFor(iv),
    );
    return plain.length + SEAL_OVERHEAD_BYTES;
  }

  /** The same in steps: `put` gets what is sealed one after another, each valid until it returns. */
  sealInSteps(plain: Uint8Array, put: (sealed: Uint8Array) => void): void {
    this.#sealEach(stepsOf(plain), (sealed) => {
      put(sealed);
      freeLarge(sealed);
    });
  }

  /** The same of what comes in parts; each is sealed into one of its own, with others before and behind them. */
  sealParts(plain: Iterable<Uint8Array>): Buffer[] {
    const sealed: Buffer[] = [];
    this.#sealEach(plain, (part) => sealed.push(part));
    return sealed;
  }

  #sealEach(plain: Iterable<Uint8Array>, put: (sealed: Buffer) => void): void {
    if (isZero(this.#counter)) this.#skipBlock();
    const iv = Buffer.from(this.#counter);
    const state = Buffer.alloc(sodium.crypto_onetimeauth_STATEBYTES);
    sodium.crypto_onetimeauth_init(state, this.#macKeys.keyFor(iv));
    put(iv);
    let length = 0;
    for (const part of plain) {
      const ciphertext = this.#stream.update(part);
      sodium.crypto_onetimeauth_update(state, ciphertext);
      length += part.length;
      put(ciphertext);
    }
    this.#endMessage(length);
    const mac = Buffer.alloc(MAC_BYTES);
    sodium.crypto_onetimeauth_final(state, mac);
    put(mac);
  }

  seal(plain: Uint8Array): Buffer {
    const sealed = Buffer.allocUnsafe(plain.length + SEAL_OVERHEAD_BYTES);
    this.sealInto(plain, sealed, 0);
    return sealed;
  }

  /** The plain bytes. Throws `repository/not-authentic` where a bit was changed or the key is another one. */
  open(sealed: Uint8Array): Buffer {
    const { iv, ciphertext } = this.#verified(sealed);
    return createDecipheriv('aes-256-ctr', this.#encryptKey, iv).update(ciphertext);
  }

  /**
   * The same; what is large holds only until the next call, in memory that is used again. Pieces of all sizes that come
   * and go would leave the C library with holes, and fresh pages to be cleared.
   */
  openForNow(sealed: Uint8Array): Buffer {
    const bytes = sealed.length - SEAL_OVERHEAD_BYTES;
    if (bytes < LARGE_BYTES || bytes > MOST_SCRATCH_BYTES) return this.open(sealed);
    const { iv, ciphertext } = this.#verified(sealed);
    const decipher = createDecipheriv('aes-256-ctr', this.#encryptKey, iv);
    const memory = this.#scratch.of(bytes);
    let at = 0;
    for (const step of stepsOf(ciphertext)) {
      const plain = decipher.update(step);
      memory.set(plain, at);
      at += plain.length;
      freeLarge(plain);
    }
    return memory.subarray(0, bytes);
  }

  /** The same where the sealed bytes lie: they are the plain ones afterwards, of which it returns a view. */
  openInPlace(sealed: Uint8Array): Buffer {
    const { iv, ciphertext } = this.#verified(sealed);
    const decipher = createDecipheriv('aes-256-ctr', this.#encryptKey, iv);
    for (let at = 0; at < ciphertext.length; at += IN_PLACE_BYTES) {
      ciphertext.set(decipher.update(ciphertext.subarray(at, at + IN_PLACE_BYTES)), at);
    }
    return Buffer.from(ciphertext.buffer, ciphertext.byteOffset, ciphertext.length);
  }

  #verified(sealed: Uint8Array): { iv: Uint8Array; ciphertext: Uint8Array } {
    if (!this.#macKeys.isAuthentic(sealed)) throw errors.notAuthentic([]);
    const ciphertext = sealed.subarray(IV_BYTES, sealed.length - MAC_BYTES);
    return { iv: sealed.subarray(0, IV_BYTES), ciphertext };
  }

  /** The next message begins at a block of its own. */
  #endMessage(plainBytes: number): void {
    // Even nothing uses up a block: no two messages may share the one-time key of their MAC.
    const blocks = Math.max(1, Math.ceil(plainBytes / BLOCK_BYTES));
    const unused = blocks * BLOCK_BYTES - plainBytes;
    if (unused > 0) this.#stream.update(PADDING.subarray(0, unused));
    advance(this.#counter, blocks);
  }

  /** Readers refuse an all-zero IV: the counter steps over it, should it ever come there. */
  #skipBlock(): void {
    this.#stream.update(PADDING);
    advance(this.#counter, 1);
  }
}

/** What Node allocates for each answer of a cipher would lie about until the garbage collector comes. */
const LARGE_BYTES = 16 * 1024;

/** Frees what a cipher gave; the bytes are empty afterwards, unless they were few. */
export function freeLarge(bytes: Buffer): void {
  if (bytes.length >= LARGE_BYTES && bytes.length === bytes.buffer.byteLength) {
    freeNow(bytes.buffer);
  }
}

function* stepsOf(plain: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < plain.length; at += STEP_BYTES) yield plain.subarray(at, at + STEP_BYTES);
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}

/** Adds to a big-endian number of 128 bits, modulo 2^128 as CTR does. */
export function advance(counter: Buffer, blocks: number): void {
  let carry = blocks;
  for (let at = counter.length - 1; at >= 0 && carry > 0; at -= 1) {
    const sum = (counter[at] as number) + carry;
    counter[at] = sum % 256;
    carry = Math.floor(sum / 256);
  }
}
