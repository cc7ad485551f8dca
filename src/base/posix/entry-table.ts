/**
 * The entries of a folder, looked up many at a time. What the kernel says of each stays as it wrote it (statx(2)): most
 * of a large tree is only held against what was known before, and objects for it would take longer than the look-up.
 */
import { hash } from 'node:crypto';
import type { FileKind, FileMetadata } from '../file-metadata.ts';
import {
  ATIME,
  CTIME,
  DEVICE,
  FLAGS,
  GID,
  INODE,
  LINKS,
  MODE,
  MTIME,
  OWN_DEVICE,
  RECORD_BYTES,
  SIZE,
  UID,
  UNTOLD_FROM,
  UNTOLD_TO,
} from './entry-record.ts';
import { completeMetadata, kindOf } from './metadata.ts';

const NS_PER_S = 1_000_000_000n;
/** Lengths of what a fingerprint is made of, so that none of it can be taken for another. */
const HEADER_BYTES = 12;

/** Texts as latin1; between names stand NULs, which no name holds. */
export type EntryTableParts = {
  folder: string;
  names: string;
  count: number;
  records: ArrayBuffer;
};

export class EntryTable {
  /** As bytes, or as latin1: a small buffer would keep all the memory that it shares with others. */
  readonly #folder: Buffer | string;
  #records: Buffer;
  /** The same by words, as the kernel wrote them: what reads bytes takes four times as long, and each entry is looked at. */
  #words: Uint32Array;
  #count = 0;
  #names: string[] | undefined = [];
  /** Undivided as they came from another thread: many tables are never asked for single names. */
  #joinedNames: string | undefined;
  #lastDevice: { major: number; minor: number; id: bigint } | undefined;

  /** `folder`: its absolute path, as bytes or latin1. */
  constructor(folder: Buffer | string, room: number) {
    this.#folder = folder;
    this.#records = Buffer.allocUnsafeSlow(room * RECORD_BYTES);
    this.#words = new Uint32Array(this.#records.buffer);
  }

  /** The table that another thread took apart. */
  static of({ folder, names, count, records }: EntryTableParts): EntryTable {
    const table = new EntryTable(folder, 0);
    table.#records = Buffer.from(records);
    table.#words = new Uint32Array(records);
    table.#count = count;
    table.#names = undefined;
    table.#joinedNames = names;
    return table;
  }

  /** To be sent to another thread, `records` with its memory: this table is of no use afterwards. */
  takeApart(): EntryTableParts {
    const records = this.#records.buffer as ArrayBuffer;
    const folder = this.#folder.toString('latin1');
    return { folder, names: this.#joined(), count: this.#count, records };
  }

  /** Absolute path of the folder. */
  get folder(): Buffer {
    return typeof this.#folder === 'string' ? Buffer.from(this.#folder, 'latin1') : this.#folder;
  }

  get length(): number {
    return this.#count;
  }

  /** As latin1: one character for each byte. */
  get names(): readonly string[] {
    this.#names ??= this.#count === 0 ? [] : (this.#joinedNames as string).split('\0');
    return this.#names;
  }

  #joined(): string {
    return this.#joinedNames ?? this.names.join('\0');
  }

  /**
   * SHA-256 of the folder's path, the names and all that a tree tells of the entries, their owners by number: equal where
   * they are, and different where anything but the times of access became another.
   */
  fingerprint(): Buffer {
    const { folder } = this;
    const names = Buffer.from(this.#joined(), 'latin1');
    const recordsAt = HEADER_BYTES + folder.length + names.length;
    const whole = Buffer.allocUnsafe(recordsAt + this.#count * RECORD_BYTES);
    whole.writeUInt32LE(folder.length, 0);
    whole.writeUInt32LE(names.length, 4);
    whole.writeUInt32LE(this.#count, 8);
    folder.copy(whole, HEADER_BYTES);
    names.copy(whole, HEADER_BYTES + folder.length);
    this.#records.copy(whole, recordsAt, 0, this.#count * RECORD_BYTES);
    for (let at = recordsAt; at < whole.length; at += RECORD_BYTES) {
      whole.fill(0, at + UNTOLD_FROM, at + UNTOLD_TO);
    }
    return hash('sha256', whole, 'buffer');
  }

  kind(entry: number): FileKind {
    return kindOf(this.#word(entry, MODE) & 0xffff);
  }

  /** With setuid, setgid and sticky. */
  permissions(entry: number): number {
    return this.#word(entry, MODE) & 0o7777;
  }

  /** Flags of the inode, as `flagsAsAttribute` takes them. */
  inodeFlags(entry: number): number {
    return this.#records.readUInt8(entry * RECORD_BYTES + FLAGS);
  }

  links(entry: number): number {
    return this.#word(entry, LINKS);
  }

  uid(entry: number): number {
    return this.#word(entry, UID);
  }

  gid(entry: number): number {
    return this.#word(entry, GID);
  }

  /** In decimal digits: exact, and cheaper than a number of 64 bits. */
  inodeText(entry: number): string {
    const high = this.#word(entry, INODE + 4);
    if (high >= 2 ** 21) {
      return this.#records.readBigUInt64LE(entry * RECORD_BYTES + INODE).toString();
    }
    return String(high * 2 ** 32 + this.#word(entry, INODE));
  }

  /** Exact up to 2^53. */
  sizeBytes(entry: number): number {
    return this.#word(entry, SIZE) + this.#word(entry, SIZE + 4) * 2 ** 32;
  }

  deviceId(entry: number): bigint {
    const major = this.#word(entry, DEVICE);
    const minor = this.#word(entry, DEVICE + 4);
    // Nearly all entries of a table lie on one device.
    if (this.#lastDevice?.major !== major || this.#lastDevice.minor !== minor) {
      this.#lastDevice = { major, minor, id: this.#device(entry * RECORD_BYTES + DEVICE) };
    }
    return this.#lastDevice.id;
  }

  /** Whole seconds since 1970; `mtimeNanoseconds` come to them, also before 1970. */
  mtimeSeconds(entry: number): number {
    return this.#seconds(entry, MTIME);
  }

  mtimeNanoseconds(entry: number): number {
    return this.#word(entry, MTIME + 8);
  }

  ctimeSeconds(entry: number): number {
    return this.#seconds(entry, CTIME);
  }

  ctimeNanoseconds(entry: number): number {
    return this.#word(entry, CTIME + 8);
  }

  path(entry: number): Buffer {
    const folder = this.#folder;
    const text = typeof folder === 'string' ? folder : folder.toString('latin1');
    return Buffer.from(`${text}/${this.names[entry]}`, 'latin1');
  }

  /** With attributes and link target, which are read now. Throws system errors. */
  metadata(entry: number): FileMetadata {
    const at = entry * RECORD_BYTES;
    return completeMetadata(this.path(entry), {
      mode: this.#records.readUInt16LE(at + MODE),
      uid: this.uid(entry),
      gid: this.gid(entry),
      mtimeNs: this.#timeNs(at + MTIME),
      atimeNs: this.#timeNs(at + ATIME),
      ctimeNs: this.#timeNs(at + CTIME),
      inode: this.#records.readBigUInt64LE(at + INODE),
      deviceId: this.deviceId(entry),
      links: BigInt(this.links(entry)),
      sizeBytes: this.#records.readBigUInt64LE(at + SIZE),
      device: this.#device(at + OWN_DEVICE),
      inodeFlags: this.inodeFlags(entry),
    });
  }

  /** Leaves out all entries from this one on. */
  truncate(length: number): void {
    this.#ownNames().length = length;
    this.#count = length;
  }

  /** Where the next entry's record belongs; it counts once it is added. */
  nextRecord(): Buffer {
    const at = this.#count * RECORD_BYTES;
    return this.#records.subarray(at, at + RECORD_BYTES);
  }

  /** The entry whose record was written to `nextRecord`; `name` as latin1. */
  add(name: string): void {
    this.#ownNames().push(name);
    this.#count += 1;
  }

  #ownNames(): string[] {
    if (!this.#names || this.#joinedNames !== undefined) {
      throw new TypeError('a table that came from another thread is only read');
    }
    return this.#names;
  }

  /** Of those that lie at that place of the entry's record. */
  #word(entry: number, at: number): number {
    return this.#words[(entry * RECORD_BYTES + at) >>> 2] as number;
  }

  #seconds(entry: number, at: number): number {
    return (this.#word(entry, at + 4) | 0) * 2 ** 32 + this.#word(entry, at);
  }

  #timeNs(at: number): bigint {
    return this.#records.readBigInt64LE(at) * NS_PER_S + BigInt(this.#records.readUInt32LE(at + 8));
  }

  /** As glibc's makedev(3) joins its two halves. */
  #device(at: number): bigint {
    const major = BigInt(this.#records.readUInt32LE(at));
    const minor = BigInt(this.#records.readUInt32LE(at + 4));
    return (
      ((major & ~0xfffn) << 32n) |
      ((major & 0xfffn) << 8n) |
      ((minor & ~0xffn) << 12n) |
      (minor & 0xffn)
    );
  }
}
