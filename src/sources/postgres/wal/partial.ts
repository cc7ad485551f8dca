import { CRC32C_START, crc32cUpdate } from './crc32c.ts';
import {
  BODY_PREFIX_BYTES,
  isChecksum,
  RECORD_HEADER_BYTES,
  type RecordSort,
  recordLength,
  sortOfRecord,
} from './record.ts';

/** A record that spans pages or buffers, as far as it has come. Holds its header and the beginning of its body. */
export class PartialRecord {
  readonly header = new Uint8Array(RECORD_HEADER_BYTES);
  readonly prefix = new Uint8Array(BODY_PREFIX_BYTES);
  prefixFill = 0;
  sort: RecordSort = 'other';
  /** Where it begins, relative as the decoder counts. */
  start = 0;
  #headerFill = 0;
  #bodyOwed = 0;
  /** Begun before the start of decoding: passed over unchecked. */
  #isBlind = false;
  #crc = CRC32C_START;
  readonly #checksums: boolean;

  constructor(checksums: boolean) {
    this.#checksums = checksums;
  }

  /** Nothing is begun. */
  get isEmpty(): boolean {
    return this.#headerFill === 0 && this.#bodyOwed === 0;
  }

  get isBlind(): boolean {
    return this.#isBlind;
  }

  get hasHeader(): boolean {
    return this.#isBlind || this.#headerFill === RECORD_HEADER_BYTES;
  }

  /** All of it has come. */
  get isWhole(): boolean {
    return this.hasHeader && this.#bodyOwed === 0;
  }

  get isValid(): boolean {
    return !this.#checksums || isChecksum(this.#crc, this.header, 0);
  }

  /** Bytes still to come, those of the header too. The length is known: records begin at multiples of 8. */
  get owed(): number {
    if (this.isEmpty || this.hasHeader) return this.#bodyOwed;
    return recordLength(this.header, 0) - this.#headerFill;
  }

  passOver(bytes: number): void {
    this.#isBlind = bytes > 0;
    this.#bodyOwed = bytes;
  }

  forget(): void {
    this.#headerFill = 0;
    this.#bodyOwed = 0;
    this.#isBlind = false;
  }

  /** Takes header bytes; returns how many. */
  takeHeader(bytes: Uint8Array, from: number, to: number): number {
    const taken = Math.min(RECORD_HEADER_BYTES - this.#headerFill, to - from);
    this.header.set(bytes.subarray(from, from + taken), this.#headerFill);
    this.#headerFill += taken;
    if (this.#headerFill === RECORD_HEADER_BYTES) {
      this.#bodyOwed = Math.max(0, recordLength(this.header, 0) - RECORD_HEADER_BYTES);
      this.sort = sortOfRecord(this.header, 0);
      this.#crc = CRC32C_START;
      this.prefixFill = 0;
    }
    return taken;
  }

  /** Takes body bytes; returns how many. */
  takeBody(bytes: Uint8Array, from: number, to: number): number {
    const taken = Math.min(this.#bodyOwed, to - from);
    this.#bodyOwed -= taken;
    if (this.#isBlind) return taken;
    if (this.#checksums) this.#crc = crc32cUpdate(this.#crc, bytes, from, from + taken);
    const wanted = Math.min(BODY_PREFIX_BYTES - this.prefixFill, taken);
    if (this.sort !== 'other' && wanted > 0) {
      this.prefix.set(bytes.subarray(from, from + wanted), this.prefixFill);
      this.prefixFill += wanted;
    }
    return taken;
  }
}
