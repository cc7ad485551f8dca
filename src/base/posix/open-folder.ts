import fs from 'node:fs';
import {
  ATIME,
  CTIME,
  DEVICE,
  FLAGS,
  GID,
  INODE,
  KEPT_FROM,
  LINKS,
  MODE,
  MTIME,
  OWN_DEVICE,
  RECORD_BYTES,
  SIZE,
  STATX_BYTES,
  UID,
} from './entry-record.ts';
import type { EntryTable } from './entry-table.ts';
import { KEPT_FLAGS, STATX_ATTRIBUTES_AT } from './inode-flags.ts';
import { checkedCall, libcFunction } from './libc.ts';

const statx = libcFunction<[number, Buffer, number, number, Buffer]>(
  'int statx(int folder, const void *name, int flags, unsigned int mask, void *record)',
);
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_BASIC_STATS = 0x7ff;

const NS_PER_S = 1_000_000_000n;
const { O_RDONLY, O_DIRECTORY = 0, O_NOFOLLOW = 0 } = fs.constants;
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
    table.add(name);
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
