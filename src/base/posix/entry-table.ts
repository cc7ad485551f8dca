/**
 * The entries of a folder, looked up many at a time. What the kernel says of each stays as it wrote it (statx(2)): most
 * of a large tree is only held against what was known before, and objects for it would take longer than the look-up.
 */
import fs from 'node:fs';
import type { FileKind, FileMetadata } from '../file-metadata.ts';
import { KEPT_FLAGS, STATX_ATTRIBUTES_AT } from './inode-flags.ts';
import { checkedCall, libcFunction } from './libc.ts';
import { completeMetadata, kindOf } from './metadata.ts';

const statx = libcFunction<[number, Buffer, number, number, Buffer]>(
  'int statx(int folder, const void *name, int flags, unsigned int mask, void *record)',
);
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_BASIC_STATS = 0x7ff;

/** Of `struct statx`: its size, and where that part of it lies that is kept. */
const STATX_BYTES = 256;
const KEPT_FROM = 16;
const RECORD_BYTES = 128;
/** Places in that part. */
const LINKS = 0;
const UID = 4;
const GID = 8;
const MODE = 12;
/** Two bytes that the kernel leaves free: the flags of the inode are put there. */
const FLAGS = 14;
const INODE = 16;
const SIZE = 24;
const ATIME = 48;
const CTIME = 80;
const MTIME = 96;
const OWN_DEVICE = 112;
const DEVICE = 120;

const NS_PER_S = 1_000_000_000n;
const { O_RDONLY, O_DIRECTORY = 0, O_NOFOLLOW = 0 } = fs.constants;

/** Texts as latin1; between names stand NULs, which no name holds. */
export type EntryTableParts = { folder: string; names: string; records: ArrayBuffer };

export class EntryTable {
  /** Absolute path of the folder. */
  readonly folder: Buffer;
  /** As latin1: one character for each byte. */
  readonly names: string[] = [];
  #records: Buffer;
  #lastDevice: { major: number; minor: number; id: bigint } | undefined;

  constructor(folder: Buffer, room: number) {
    this.folder = folder;
    this.#records = Buffer.allocUnsafeSlow(room * RECORD_BYTES);
  }

  /** The table that another thread took apart. */
  static of({ folder, names, records }: EntryTableParts): EntryTable {
    const table = new EntryTable(Buffer.from(folder, 'latin1'), 0);
    table.#records = Buffer.from(records);
    if (names !== '') for (const name of names.split('\0')) table.names.push(name);
    return table;
  }

  /** To be sent to another thread, `records` with its memory: this table is of no use afterwards. */
  takeApart(): EntryTableParts {
    const records = this.#records.buffer as ArrayBuffer;
    return { folder: this.folder.toString('latin1'), names: this.names.join('\0'), records };
  }

  get length(): number {
    return this.names.length;
  }

  kind(entry: number): FileKind {
    return kindOf(this.#records.readUInt16LE(entry * RECORD_BYTES + MODE));
  }

  /** With setuid, setgid and sticky. */
  permissions(entry: number): number {
    return this.#records.readUInt16LE(entry * RECORD_BYTES + MODE) & 0o7777;
  }

  links(entry: number): number {
    return this.#records.readUInt32LE(entry * RECORD_BYTES + LINKS);
  }

  uid(entry: number): number {
    return this.#records.readUInt32LE(entry * RECORD_BYTES + UID);
  }

  gid(entry: number): number {
    return this.#records.readUInt32LE(entry * RECORD_BYTES + GID);
  }

  /** In decimal digits: exact, and cheaper than a number of 64 bits. */
  inodeText(entry: number): string {
    const at = entry * RECORD_BYTES + INODE;
    const high = this.#records.readUInt32LE(at + 4);
    if (high >= 2 ** 21) return this.#records.readBigUInt64LE(at).toString();
    return String(high * 2 ** 32 + this.#records.readUInt32LE(at));
  }

  /** Exact up to 2^53. */
  sizeBytes(entry: number): number {
    const at = entry * RECORD_BYTES + SIZE;
    return this.#records.readUInt32LE(at) + this.#records.readUInt32LE(at + 4) * 2 ** 32;
  }

  deviceId(entry: number): bigint {
    const at = entry * RECORD_BYTES + DEVICE;
    const major = this.#records.readUInt32LE(at);
    const minor = this.#records.readUInt32LE(at + 4);
    // Nearly all entries of a table lie on one device.
    if (this.#lastDevice?.major !== major || this.#lastDevice.minor !== minor) {
      this.#lastDevice = { major, minor, id: this.#device(at) };
    }
    return this.#lastDevice.id;
  }

  /** Whole seconds since 1970; `mtimeNanoseconds` come to them, also before 1970. */
  mtimeSeconds(entry: number): number {
    return this.#seconds(entry * RECORD_BYTES + MTIME);
  }

  mtimeNanoseconds(entry: number): number {
    return this.#records.readUInt32LE(entry * RECORD_BYTES + MTIME + 8);
  }

  ctimeSeconds(entry: number): number {
    return this.#seconds(entry * RECORD_BYTES + CTIME);
  }

  ctimeNanoseconds(entry: number): number {
    return this.#records.readUInt32LE(entry * RECORD_BYTES + CTIME + 8);
  }

  path(entry: number): Buffer {
    return Buffer.concat([this.folder, SLASH, Buffer.from(this.names[entry] as string, 'latin1')]);
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
      inodeFlags: this.#records.readUInt8(at + FLAGS),
    });
  }

  /** Leaves out all entries from this one on. */
  truncate(length: number): void {
    this.names.length = length;
  }

  /** Where the next entry's record belongs; it counts once its name is in `names`. */
  nextRecord(): Buffer {
    const at = this.names.length * RECORD_BYTES;
    return this.#records.subarray(at, at + RECORD_BYTES);
  }

  #seconds(at: number): number {
    return this.#records.readInt32LE(at + 4) * 2 ** 32 + this.#records.readUInt32LE(at);
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

const SLASH = Buffer.from('/');

/** A folder that is open while its entries are looked up: by name alone, which is shorter than by path. */
export class OpenFolder {
  readonly #path: Buffer;
  readonly #file: number;

  /** Throws system errors; `ELOOP` and `ENOTDIR` where another kind of entry took its place. */
  constructor(path: Buffer) {
    this.#path = path;
    this.#file = fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  }

  /** Adds the entry of this name (latin1) to the table, which must have room. Throws system errors. */
  lookUp(name: string, table: EntryTable): void {
    const record = table.nextRecord();
    if (process.platform === 'linux') lookUpAt(this.#file, name, record);
    else lookUpByPath(Buffer.concat([this.#path, SLASH, Buffer.from(name, 'latin1')]), record);
    table.names.push(name);
  }

  close(): void {
    fs.closeSync(this.#file);
  }
}

/** Longer names are on no file system that Linux has. */
const nameMemory = Buffer.alloc(4096);
const statxMemory = Buffer.alloc(STATX_BYTES);

function lookUpAt(folder: number, name: string, record: Buffer): void {
  nameMemory[nameMemory.write(name, 0, nameMemory.length - 1, 'latin1')] = 0;
  const answer = statx(folder, nameMemory, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, statxMemory);
  if (answer !== 0) checkedCall(answer, 'statx', Buffer.from(name, 'latin1'));
  statxMemory.copy(record, 0, KEPT_FROM, KEPT_FROM + RECORD_BYTES);
  record[FLAGS] = (statxMemory[STATX_ATTRIBUTES_AT] as number) & KEPT_FLAGS;
}

/** For systems without that call: the same record by Node's own. */
function lookUpByPath(path: Buffer, record: Buffer): void {
  const stat = fs.lstatSync(path, { bigint: true });
  record.fill(0);
  record.writeUInt32LE(Number(stat.nlink), LINKS);
  record.writeUInt32LE(Number(stat.uid), UID);
  record.writeUInt32LE(Number(stat.gid), GID);
  record.writeUInt16LE(Number(stat.mode), MODE);
  record.writeBigUInt64LE(stat.ino, INODE);
  record.writeBigUInt64LE(stat.size, SIZE);
  for (const [at, ns] of [
    [ATIME, stat.atimeNs],
    [CTIME, stat.ctimeNs],
    [MTIME, stat.mtimeNs],
  ] as const) {
    const rest = ((ns % NS_PER_S) + NS_PER_S) % NS_PER_S;
    record.writeBigInt64LE((ns - rest) / NS_PER_S, at);
    record.writeUInt32LE(Number(rest), at + 8);
  }
  writeDevice(stat.rdev, record, OWN_DEVICE);
  writeDevice(stat.dev, record, DEVICE);
}

function writeDevice(device: bigint, record: Buffer, at: number): void {
  const major = ((device >> 32n) & ~0xfffn) | ((device >> 8n) & 0xfffn);
  const minor = ((device >> 12n) & ~0xffn) | (device & 0xffn);
  record.writeUInt32LE(Number(BigInt.asUintN(32, major)), at);
  record.writeUInt32LE(Number(BigInt.asUintN(32, minor)), at + 4);
}
