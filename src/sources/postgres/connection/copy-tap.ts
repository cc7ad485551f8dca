/**
 * Takes the CopyData messages out of what a connection receives before pg's parser sees it: that would copy each byte
 * twice and make objects for it. Everything else goes on to the parser, message by message. (PostgreSQL documentation,
 * "Message Formats": a byte of kind, a length that counts itself, and the body.)
 */
import { errors } from '../errors.ts';
import type { RawConnection } from './raw.ts';

const COPY_DATA = 0x64; // 'd'
const HEADER_BYTES = 5;
/** Shorter messages are never handed out in parts. */
const WHOLE_UP_TO_BYTES = 8 * 1024;
/** The parser's messages hold rows and errors: nothing that is long. */
const LONGEST_OTHER_BYTES = 1 << 26;

export type CopyTapEvents = {
  /** Part of a CopyData's body; `goesOn`: not the first of it. */
  onPart: (bytes: Buffer, goesOn: boolean) => void;
  /** Nobody else holds this memory: free once the parts that were given since the last call are done with. */
  onMemory: (bytes: Buffer) => void;
  onBroken: (error: Error) => void;
};

export class CopyTap {
  readonly #connection: RawConnection;
  readonly #events: CopyTapEvents;
  readonly #parse: ((bytes: Buffer) => void)[];
  readonly #onData = (bytes: Buffer) => this.#take(bytes);
  /** Of a message whose bytes are gathered: its beginning, and how much is wanted before it can be judged or given on. */
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  #wantedBytes = HEADER_BYTES;
  /** Bytes left of a CopyData's body, and whether some were handed out. */
  #bodyLeft = 0;
  #bodyBegun = false;
  #released = false;
  #isBroken = false;

  /** Between commands, when nothing half read lies in the parser. */
  constructor(connection: RawConnection, events: CopyTapEvents) {
    this.#connection = connection;
    this.#events = events;
    const { stream } = connection;
    this.#parse = stream.listeners('data') as ((bytes: Buffer) => void)[];
    stream.on('data', this.#onData);
    for (const parse of this.#parse) stream.off('data', parse);
  }

  /** Gives the connection back to the parser. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    const { stream } = this.#connection;
    for (const parse of this.#parse) stream.on('data', parse);
    stream.off('data', this.#onData);
  }

  #take(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && !this.#isBroken) {
      if (this.#released) {
        this.#give(bytes.subarray(at));
        return;
      }
      if (this.#bodyLeft > 0) at = this.#takeBody(bytes, at);
      else if (this.#gatheredBytes > 0) at = this.#gather(bytes, at);
      else at = this.#takeMessage(bytes, at);
    }
    // What is still to be joined must not lie in memory that is given away.
    this.#gathered = this.#gathered.map((part) =>
      part.buffer === bytes.buffer ? Buffer.from(part) : part,
    );
    this.#events.onMemory(bytes);
  }

  /** One that begins at `at`; answers where it, or what there is of it, ends. */
  #takeMessage(bytes: Buffer, at: number): number {
    const left = bytes.length - at;
    if (left < HEADER_BYTES) return this.#gather(bytes, at);
    const length = bytes.readUInt32BE(at + 1);
    if (bytes[at] === COPY_DATA && length >= 4) {
      const isWhole = left >= length + 1;
      if (isWhole || (length > WHOLE_UP_TO_BYTES && left > HEADER_BYTES)) {
        this.#beginBody(length);
        return this.#takeBody(bytes, at + HEADER_BYTES);
      }
    }
    return this.#gather(bytes, at);
  }

  #beginBody(length: number): void {
    this.#bodyLeft = length - 4;
    this.#bodyBegun = false;
  }

  #takeBody(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#bodyLeft);
    this.#bodyLeft -= end - at;
    this.#events.onPart(bytes.subarray(at, end), this.#bodyBegun);
    this.#bodyBegun = true;
    return end;
  }

  #give(bytes: Buffer): void {
    for (const parse of this.#parse) parse.call(this.#connection.stream, bytes);
  }

  #gather(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#wantedBytes - this.#gatheredBytes);
    this.#gathered.push(bytes.subarray(at, end));
    this.#gatheredBytes += end - at;
    if (this.#gatheredBytes === this.#wantedBytes) this.#gatheredEnough();
    return end;
  }

  #gatheredEnough(): void {
    const message = Buffer.concat(this.#gathered);
    const length = message.readUInt32BE(1);
    this.#wantedBytes = 1 + length;
    if (length < 4 || length > LONGEST_OTHER_BYTES) {
      this.#isBroken = true;
      this.#events.onBroken(errors.protocolBroken([`a message says that it has ${length} bytes`]));
      return;
    }
    const isCopy = message[0] === COPY_DATA;
    const inParts = isCopy && length > WHOLE_UP_TO_BYTES;
    if (!inParts && message.length < this.#wantedBytes) {
      this.#gathered = [message];
      return;
    }
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#wantedBytes = HEADER_BYTES;
    if (inParts) this.#beginBody(length);
    else if (isCopy) this.#events.onPart(message.subarray(HEADER_BYTES), false);
    else this.#give(message);
  }
}
