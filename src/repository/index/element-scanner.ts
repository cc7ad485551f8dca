/**
 * Cuts the objects out of one top-level array of a JSON document that arrives in pieces, so that no document, however
 * long, becomes one string. Whatever else the document holds is passed over.
 */
import { errors } from '../errors.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** No writer's element comes near this. */
const MAX_ELEMENT_BYTES = 512 * 1024 * 1024;

export class ElementScanner {
  readonly #onElement: (array: string, json: Buffer) => void;
  readonly #document: string;
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** The string that is being read or was read last at depth 1: the key of what follows. */
  #key: number[] = [];
  /** Key of the top-level array that we are in, else undefined. */
  #array: string | undefined;
  #element: Buffer[] = [];
  #elementBytes = 0;
  #started = false;

  /** `document`: for messages. */
  constructor(document: string, onElement: (array: string, json: Buffer) => void) {
    this.#document = document;
    this.#onElement = onElement;
  }

  feed(chunk: Buffer): void {
    let elementStart = this.#inElement() ? 0 : -1;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] as number;
      if (this.#inString) {
        this.#stringByte(byte);
        continue;
      }
      switch (byte) {
        case QUOTE:
          this.#inString = true;
          if (this.#depth === 1) this.#key = [];
          break;
        case OPEN_BRACE:
        case OPEN_BRACKET:
          this.#open(byte);
          if (this.#depth === 3 && this.#array !== undefined) elementStart = at;
          break;
        case CLOSE_BRACE:
        case CLOSE_BRACKET:
          if (this.#depth === 3 && elementStart >= 0) {
            this.#emit(chunk.subarray(elementStart, at + 1));
            elementStart = -1;
          }
          this.#close();
          break;
      }
    }
    if (elementStart >= 0) this.#keep(chunk.subarray(elementStart));
  }

  /** Throws `repository/file-damaged` where the document broke off. */
  end(): void {
    if (this.#depth !== 0 || this.#inString || !this.#started) {
      throw errors.fileDamaged([this.#document, 'its JSON breaks off']);
    }
  }

  #inElement(): boolean {
    return this.#depth >= 3 && this.#array !== undefined;
  }

  #stringByte(byte: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) {
      this.#inString = false;
      return;
    }
    if (this.#depth === 1 && this.#key.length < 64) this.#key.push(byte);
  }

  #open(byte: number): void {
    this.#started = true;
    this.#depth += 1;
    if (this.#depth === 2 && byte === OPEN_BRACKET) {
      this.#array = String.fromCharCode(...this.#key);
    }
  }

  #close(): void {
    this.#depth -= 1;
    if (this.#depth === 1) this.#array = undefined;
    if (this.#depth < 0) throw errors.fileDamaged([this.#document, 'its JSON is malformed']);
  }

  #keep(part: Buffer): void {
    this.#elementBytes += part.length;
    if (this.#elementBytes > MAX_ELEMENT_BYTES) {
      throw errors.fileDamaged([this.#document, 'one of its entries is too long']);
    }
    this.#element.push(Buffer.from(part));
  }

  #emit(last: Buffer): void {
    const whole = this.#element.length === 0 ? last : Buffer.concat([...this.#element, last]);
    this.#element = [];
    this.#elementBytes = 0;
    this.#onElement(this.#array as string, whole);
  }
}
