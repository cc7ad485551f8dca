/**
 * Requests and answers of the FUSE kernel interface as bytes. Layouts follow include/uapi/linux/fuse.h; numbers are in
 * the machine's order, which is little-endian on every platform that Node 24 supports with Linux.
 */

const HEADER_BYTES = 40;
const ATTR_BYTES = 88;
const ENTRY_BYTES = 40 + ATTR_BYTES;
const DIRENT_BYTES = 24;
const NANOSECONDS = 1_000_000_000n;

export type FuseRequest = {
  opcode: number;
  /** Names the request in its answer. */
  unique: bigint;
  node: bigint;
  /** Who asks. */
  uid: number;
  gid: number;
  /** What follows the header. */
  body: Buffer;
};

/** Undefined where the bytes are no whole request. */
export function decodeRequest(bytes: Buffer): FuseRequest | undefined {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== bytes.length) return undefined;
  return {
    opcode: bytes.readUInt32LE(4),
    unique: bytes.readBigUInt64LE(8),
    node: bytes.readBigUInt64LE(16),
    uid: bytes.readUInt32LE(24),
    gid: bytes.readUInt32LE(28),
    body: bytes.subarray(HEADER_BYTES),
  };
}

/** `errno`: 0, or a positive number of the system. */
export function encodeReplyHeader(unique: bigint, errno: number, bodyBytes: number): Buffer {
  const header = Buffer.allocUnsafe(16);
  header.writeUInt32LE(16 + bodyBytes, 0);
  header.writeInt32LE(-errno, 4);
  header.writeBigUInt64LE(unique, 8);
  return header;
}

/** What a stat shows. */
export type NodeAttributes = {
  node: bigint;
  /** Shown as inode; the node's number where it isn't given. */
  inode?: bigint;
  sizeBytes: bigint;
  /** Type and permissions as st_mode has them. */
  mode: number;
  links: number;
  uid: number;
  gid: number;
  device: number;
  atimeNs: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
};

/** How long the kernel may go on without asking again, ms. */
export type CacheTime = { validMs: number };

export function encodeEntry(attributes: NodeAttributes, { validMs }: CacheTime): Buffer {
  const entry = Buffer.alloc(ENTRY_BYTES);
  writeEntry(entry, 0, attributes, validMs);
  return entry;
}

function writeEntry(into: Buffer, at: number, attributes: NodeAttributes, validMs: number): void {
  const seconds = BigInt(Math.floor(validMs / 1000));
  const nanoseconds = (validMs % 1000) * 1_000_000;
  into.writeBigUInt64LE(attributes.node, at);
  into.writeBigUInt64LE(0n, at + 8);
  into.writeBigUInt64LE(seconds, at + 16);
  into.writeBigUInt64LE(seconds, at + 24);
  into.writeUInt32LE(nanoseconds, at + 32);
  into.writeUInt32LE(nanoseconds, at + 36);
  writeAttributes(into, at + 40, attributes);
}

/** A name that isn't there, which the kernel may remember for so long. */
export function encodeAbsence({ validMs }: CacheTime): Buffer {
  const entry = Buffer.alloc(ENTRY_BYTES);
  entry.writeBigUInt64LE(BigInt(Math.floor(validMs / 1000)), 16);
  return entry;
}

export function encodeAttributes(attributes: NodeAttributes, { validMs }: CacheTime): Buffer {
  const answer = Buffer.alloc(16 + ATTR_BYTES);
  answer.writeBigUInt64LE(BigInt(Math.floor(validMs / 1000)), 0);
  answer.writeUInt32LE((validMs % 1000) * 1_000_000, 8);
  writeAttributes(answer, 16, attributes);
  return answer;
}

function writeAttributes(into: Buffer, at: number, attributes: NodeAttributes): void {
  const { atimeNs, mtimeNs, ctimeNs } = attributes;
  into.writeBigUInt64LE(attributes.inode ?? attributes.node, at);
  into.writeBigUInt64LE(attributes.sizeBytes, at + 8);
  into.writeBigUInt64LE((attributes.sizeBytes + 511n) / 512n, at + 16);
  [atimeNs, mtimeNs, ctimeNs].forEach((timeNs, which) => {
    const nanoseconds = ((timeNs % NANOSECONDS) + NANOSECONDS) % NANOSECONDS;
    into.writeBigInt64LE((timeNs - nanoseconds) / NANOSECONDS, at + 24 + which * 8);
    into.writeUInt32LE(Number(nanoseconds), at + 48 + which * 4);
  });
  into.writeUInt32LE(attributes.mode, at + 60);
  into.writeUInt32LE(attributes.links, at + 64);
  into.writeUInt32LE(attributes.uid, at + 68);
  into.writeUInt32LE(attributes.gid, at + 72);
  into.writeUInt32LE(attributes.device, at + 76);
  into.writeUInt32LE(4096, at + 80);
  into.writeUInt32LE(0, at + 84);
}

export function encodeOpened(handle: bigint, flags: number): Buffer {
  const answer = Buffer.alloc(16);
  answer.writeBigUInt64LE(handle, 0);
  answer.writeUInt32LE(flags, 8);
  return answer;
}

/** READ, READDIR and READDIRPLUS ask alike. */
export function decodeRead(body: Buffer): { handle: bigint; offset: bigint; sizeBytes: number } {
  return {
    handle: body.readBigUInt64LE(0),
    offset: body.readBigUInt64LE(8),
    sizeBytes: body.readUInt32LE(16),
  };
}

/** A name that a zero ends, as LOOKUP has it; `at`: where it begins. */
export function decodeName(body: Buffer, at = 0): Buffer {
  const end = body.indexOf(0, at);
  return Buffer.from(body.subarray(at, end < 0 ? body.length : end));
}

export function decodeForgets(body: Buffer): { node: bigint; lookups: bigint }[] {
  const count = Math.min(body.readUInt32LE(0), Math.floor((body.length - 8) / 16));
  return Array.from({ length: count }, (_, index) => ({
    node: body.readBigUInt64LE(8 + index * 16),
    lookups: body.readBigUInt64LE(16 + index * 16),
  }));
}

export function encodeStatfs(files: bigint, totalBytes: bigint): Buffer {
  const answer = Buffer.alloc(80);
  answer.writeBigUInt64LE(totalBytes / 4096n, 0);
  answer.writeBigUInt64LE(files, 24);
  answer.writeUInt32LE(4096, 40);
  answer.writeUInt32LE(255, 44);
  answer.writeUInt32LE(4096, 48);
  return answer;
}

/** One line of a directory; `next`: the offset at which a later call goes on behind it. */
export type DirectoryLine = { name: Buffer; attributes: NodeAttributes; next: bigint };

/** Fills a READDIR's answer, or with `plus` (and how long it is valid) a READDIRPLUS's. */
export class DirectoryAnswer {
  readonly #bytes: Buffer;
  readonly #plus: CacheTime | undefined;
  #filled = 0;

  constructor(sizeBytes: number, plus?: CacheTime) {
    this.#bytes = Buffer.alloc(Math.min(sizeBytes, 1024 * 1024));
    this.#plus = plus;
  }

  fits(name: Buffer): boolean {
    return this.#filled + this.#lineBytes(name) <= this.#bytes.length;
  }

  /** False where it doesn't fit: the kernel asks again from this line on. */
  add({ name, attributes, next }: DirectoryLine): boolean {
    if (!this.fits(name)) return false;
    const head = this.#plus ? ENTRY_BYTES : 0;
    if (this.#plus) writeEntry(this.#bytes, this.#filled, attributes, this.#plus.validMs);
    const at = this.#filled + head;
    this.#bytes.writeBigUInt64LE(attributes.inode ?? attributes.node, at);
    this.#bytes.writeBigUInt64LE(next, at + 8);
    this.#bytes.writeUInt32LE(name.length, at + 16);
    this.#bytes.writeUInt32LE((attributes.mode >> 12) & 0o17, at + 20);
    name.copy(this.#bytes, at + DIRENT_BYTES);
    this.#filled += this.#lineBytes(name);
    return true;
  }

  #lineBytes(name: Buffer): number {
    return (this.#plus ? ENTRY_BYTES : 0) + ((DIRENT_BYTES + name.length + 7) & ~7);
  }

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#filled);
  }
}
