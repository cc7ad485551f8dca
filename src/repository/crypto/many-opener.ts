/**
 * Opens many small sealed messages at once. Setting up a cipher for each takes longer than to decrypt it: here one cipher,
 * set up once, encrypts the counters of all their blocks, and what comes out is their key stream.
 */
import { type Cipheriv, createCipheriv, createSecretKey } from 'node:crypto';
import { IV_BYTES, MAC_BYTES, MacKeys, SEAL_OVERHEAD_BYTES } from './mac-keys.ts';
import type { MasterKey } from './master-key.ts';
import { advance, freeLarge } from './sealer.ts';

const BLOCK_BYTES = 16;
const BLOCK_WORDS = BLOCK_BYTES / 4;

/** Sealed bytes: larger messages are opened as quickly one by one. */
export const MOST_SMALL_BYTES = 8 * 1024;
/** Plain bytes that are opened at once, each message up to the next block. */
const ROOM_BYTES = 64 * 1024;
const MOST_MESSAGES = 512;

export class ManyOpener {
  readonly #cipher: Cipheriv;
  readonly #macKeys: MacKeys;
  readonly #ivs = Buffer.alloc(MOST_MESSAGES * IV_BYTES);
  /** Counters, and then the key stream in their place. */
  readonly #blocks = new Uint32Array(ROOM_BYTES / 4);
  readonly #blockBytes = Buffer.from(this.#blocks.buffer);
  readonly #blockView = new DataView(this.#blocks.buffer);
  readonly #texts = new Uint32Array(ROOM_BYTES / 4);
  readonly #textBytes = Buffer.from(this.#texts.buffer);

  constructor(key: MasterKey) {
    this.#cipher = createCipheriv('aes-256-ecb', createSecretKey(key.encrypt), null);
    this.#cipher.setAutoPadding(false);
    this.#macKeys = new MacKeys(key);
  }

  /** How many messages from `first` on can be opened in one call: none where that one is too large, or no message. */
  countFrom(lengths: readonly { length: number }[], first: number): number {
    let bytes = 0;
    let count = 0;
    for (; count < MOST_MESSAGES && first + count < lengths.length; count += 1) {
      const { length } = lengths[first + count] as { length: number };
      if (length < SEAL_OVERHEAD_BYTES || length > MOST_SMALL_BYTES) break;
      bytes += roomOf(length);
      if (bytes > ROOM_BYTES) break;
    }
    return count;
  }

  /** The plain bytes of each, which hold until the next call; undefined for what isn't as it was once sealed. */
  open(sealed: readonly Uint8Array[]): (Buffer | undefined)[] {
    const pads = this.#padsOf(sealed);
    const opened: (Buffer | undefined)[] = [];
    let end = 0;
    // Plain loops: functions called by others take as long to compile as all of this takes.
    for (let i = 0; i < sealed.length; i += 1) {
      const message = sealed[i] as Uint8Array;
      if (this.#macKeys.isAuthenticBy(pads, i * MAC_BYTES, message)) {
        opened.push(this.#put(message, end));
        end += roomOf(message.length);
      } else opened.push(undefined);
    }
    this.#decrypt(end);
    return opened;
  }

  #padsOf(sealed: readonly Uint8Array[]): Buffer {
    for (let i = 0; i < sealed.length; i += 1) {
      const message = sealed[i] as Uint8Array;
      this.#ivs.set(message.subarray(0, IV_BYTES), i * IV_BYTES);
    }
    return this.#macKeys.padsOf(this.#ivs.subarray(0, sealed.length * IV_BYTES));
  }

  /** Where its plain bytes will be. */
  #put(message: Uint8Array, start: number): Buffer {
    const bytes = message.length - SEAL_OVERHEAD_BYTES;
    const end = start + bytes;
    this.#textBytes.set(message.subarray(IV_BYTES, IV_BYTES + bytes), start);
    if (bytes > 0) this.#putCounters(message, start, start + roomOf(message.length));
    return this.#textBytes.subarray(start, end);
  }

  /** From `start` up to `end`, both at blocks. */
  #putCounters(iv: Uint8Array, start: number, end: number): void {
    const blocks = this.#blocks;
    const view = this.#blockView;
    this.#blockBytes.set(iv.subarray(0, IV_BYTES), start);
    const low = view.getUint32(start + 12);
    if (low + (end - start) / BLOCK_BYTES > 0xffff_ffff) {
      this.#putCountersOverflowing(start, end);
      return;
    }
    const first = start / 4;
    const [a, b, c] = [blocks[first], blocks[first + 1], blocks[first + 2]] as [
      number,
      number,
      number,
    ];
    for (
      let at = first + BLOCK_WORDS, count = low + 1;
      at < end / 4;
      at += BLOCK_WORDS, count += 1
    ) {
      blocks[at] = a;
      blocks[at + 1] = b;
      blocks[at + 2] = c;
      view.setUint32(at * 4 + 12, count);
    }
  }

  #putCountersOverflowing(start: number, end: number): void {
    const counter = Buffer.from(this.#blockBytes.subarray(start, start + BLOCK_BYTES));
    for (let at = start; at < end; at += BLOCK_BYTES) {
      this.#blockBytes.set(counter, at);
      advance(counter, 1);
    }
  }

  #decrypt(bytes: number): void {
    const stream = this.#cipher.update(this.#blockBytes.subarray(0, bytes));
    this.#blockBytes.set(stream);
    freeLarge(stream);
    const [texts, blocks] = [this.#texts, this.#blocks];
    for (let word = 0; word < bytes / 4; word += 1) {
      texts[word] = (texts[word] as number) ^ (blocks[word] as number);
    }
  }
}

/** Up to the next block. */
function roomOf(sealedBytes: number): number {
  return Math.ceil((sealedBytes - SEAL_OVERHEAD_BYTES) / BLOCK_BYTES) * BLOCK_BYTES;
}
