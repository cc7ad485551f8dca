import { errors } from '../errors.ts';

/** One member of a tar archive, as its header tells it. */
export type TarEntry = {
  /** Raw bytes, without a trailing slash. */
  path: Buffer;
  kind: 'file' | 'dir' | 'symlink';
  linkTarget: Buffer;
  permissions: number;
  uid: number;
  gid: number;
  mtimeSeconds: number;
  sizeBytes: number;
};

export type TarPart =
  | { kind: 'entry'; entry: TarEntry }
  | { kind: 'content'; bytes: Buffer }
  | { kind: 'entry-ends' };

const BLOCK_BYTES = 512;
/** A path that is longer isn't one that Postgres makes. */
const LONGEST_EXTENSION_BYTES = 1 << 20;

type Extension = { kind: 'pax' | 'gnu-path' | 'gnu-link'; parts: Buffer[] };

/**
 * Takes a tar archive in pieces of any size and answers what they hold: ustar (POSIX.1-1988), with the extensions for
 * long names and large sizes of pax (POSIX.1-2001) and GNU. Content is passed on as slices, never gathered.
 */
export class TarReader {
  #header = Buffer.alloc(BLOCK_BYTES);
  #headerFill = 0;
  #contentLeft = 0;
  #paddingLeft = 0;
  #extension: Extension | undefined;
  #overrides: { path?: Buffer; linkTarget?: Buffer; sizeBytes?: number } = {};
  #ended = false;

  /** True between members: an archive may end here. */
  get isBetweenEntries(): boolean {
    return this.#headerFill === 0 && this.#contentLeft === 0 && this.#paddingLeft === 0;
  }

  /** True where all of these bytes are content of the member under way, which goes on behind them: they count as read. */
  takesAsContent(bytes: Buffer): boolean {
    if (bytes.length >= this.#contentLeft || this.#extension) return false;
    this.#contentLeft -= bytes.length;
    return true;
  }

  *read(bytes: Buffer): Generator<TarPart> {
    let at = 0;
    while (at < bytes.length && !this.#ended) {
      if (this.#contentLeft > 0) {
        const slice = bytes.subarray(at, at + Math.min(this.#contentLeft, bytes.length - at));
        at += slice.length;
        yield* this.#content(slice);
      } else if (this.#paddingLeft > 0) {
        const skipped = Math.min(this.#paddingLeft, bytes.length - at);
        this.#paddingLeft -= skipped;
        at += skipped;
      } else {
        const taken = bytes.copy(this.#header, this.#headerFill, at);
        at += taken;
        this.#headerFill += taken;
        if (this.#headerFill === BLOCK_BYTES) yield* this.#headerComplete();
      }
    }
  }

  *#content(slice: Buffer): Generator<TarPart> {
    this.#contentLeft -= slice.length;
    if (this.#extension) this.#extension.parts.push(Buffer.from(slice));
    else yield { kind: 'content', bytes: slice };
    if (this.#contentLeft === 0) yield* this.#contentComplete();
  }

  *#contentComplete(): Generator<TarPart> {
    if (this.#extension === undefined) {
      yield { kind: 'entry-ends' };
      return;
    }
    const text = Buffer.concat(this.#extension.parts);
    if (this.#extension.kind === 'pax') Object.assign(this.#overrides, parsePax(text));
    else if (this.#extension.kind === 'gnu-path') this.#overrides.path = untilZero(text);
    else this.#overrides.linkTarget = untilZero(text);
    this.#extension = undefined;
  }

  *#headerComplete(): Generator<TarPart> {
    this.#headerFill = 0;
    if (this.#header.every((byte) => byte === 0)) {
      this.#ended = true;
      return;
    }
    checkSum(this.#header);
    const type = String.fromCharCode(this.#header[156] as number);
    const size = readNumber(this.#header, 124, 12);
    const extension = extensionKind(type);
    if (extension !== undefined) {
      if (size > LONGEST_EXTENSION_BYTES) throw damaged('a name is too long');
      this.#begin(size);
      this.#extension = { kind: extension, parts: [] };
      return;
    }
    const entry = entryOf(this.#header, type, this.#overrides.sizeBytes ?? size);
    if (this.#overrides.path) entry.path = withoutSlash(this.#overrides.path);
    if (this.#overrides.linkTarget) entry.linkTarget = this.#overrides.linkTarget;
    this.#overrides = {};
    this.#begin(entry.sizeBytes);
    yield { kind: 'entry', entry };
    if (entry.sizeBytes === 0) yield { kind: 'entry-ends' };
  }

  #begin(sizeBytes: number): void {
    this.#contentLeft = sizeBytes;
    this.#paddingLeft = (BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES;
  }
}

function extensionKind(type: string): Extension['kind'] | undefined {
  if (type === 'x') return 'pax';
  if (type === 'L') return 'gnu-path';
  if (type === 'K') return 'gnu-link';
  return undefined;
}

function entryOf(header: Buffer, type: string, sizeBytes: number): TarEntry {
  const kind = kindOf(type);
  const name = untilZero(header.subarray(0, 100));
  const isUstar = header.toString('latin1', 257, 262) === 'ustar';
  const prefix = isUstar ? untilZero(header.subarray(345, 500)) : Buffer.alloc(0);
  return {
    path: withoutSlash(prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), name]) : name),
    kind,
    linkTarget: untilZero(header.subarray(157, 257)),
    permissions: readNumber(header, 100, 8) & 0o7777,
    uid: readNumber(header, 108, 8),
    gid: readNumber(header, 116, 8),
    mtimeSeconds: readNumber(header, 136, 12),
    sizeBytes: kind === 'file' ? sizeBytes : 0,
  };
}

function kindOf(type: string): TarEntry['kind'] {
  if (type === '0' || type === '\0') return 'file';
  if (type === '5') return 'dir';
  if (type === '2') return 'symlink';
  throw damaged(`it holds a member of type ${JSON.stringify(type)}`);
}

/** Octal text, or big-endian binary where the highest bit is set (GNU, for what octal can't hold). */
function readNumber(header: Buffer, from: number, length: number): number {
  const field = header.subarray(from, from + length);
  if ((field[0] as number) & 0x80) {
    let value = 0;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
    if (!Number.isSafeInteger(value)) throw damaged('a number is out of range');
    return value;
  }
  const text = field
    .toString('latin1')
    .replace(/[\0 ]+$/, '')
    .trimStart();
  if (!/^[0-7]*$/.test(text)) throw damaged('a number is no number');
  return text === '' ? 0 : Number.parseInt(text, 8);
}

function checkSum(header: Buffer): void {
  let sum = 0;
  for (let at = 0; at < BLOCK_BYTES; at += 1) {
    sum += at >= 148 && at < 156 ? 0x20 : (header[at] as number);
  }
  if (sum !== readNumber(header, 148, 8)) throw damaged('the checksum of a header is wrong');
}

/** Records `length key=value\n` (POSIX pax, "Extended Header"). Keys that matter here are three. */
function parsePax(text: Buffer): { path?: Buffer; linkTarget?: Buffer; sizeBytes?: number } {
  const found: { path?: Buffer; linkTarget?: Buffer; sizeBytes?: number } = {};
  let at = 0;
  while (at < text.length) {
    const space = text.indexOf(0x20, at);
    const length = Number(text.toString('latin1', at, space));
    const equals = text.indexOf(0x3d, space);
    if (!(length > 0) || at + length > text.length || equals < space || equals >= at + length) {
      throw damaged('an extended header is malformed');
    }
    const key = text.toString('utf8', space + 1, equals);
    const value = text.subarray(equals + 1, at + length - 1);
    if (key === 'path') found.path = value;
    else if (key === 'linkpath') found.linkTarget = value;
    else if (key === 'size') found.sizeBytes = Number(value.toString('latin1'));
    at += length;
  }
  return found;
}

function untilZero(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return Buffer.from(end === -1 ? bytes : bytes.subarray(0, end));
}

function withoutSlash(path: Buffer): Buffer {
  return path.length > 1 && path[path.length - 1] === 0x2f ? path.subarray(0, -1) : path;
}

function damaged(what: string) {
  return errors.protocolBroken([`its tar archive is damaged: ${what}`]);
}
