/**
 * What a tree leads to, taken from the bytes of one that is written as restic and Holdfast write nearly all, without
 * making anything of what else it tells. What is taken here `decodeTree` takes too, with the same ids; whatever looks
 * otherwise in the least is left to it.
 */
import { type BlobType, ID_BYTES } from '../names.ts';
import { parseUsualGoTime } from './go-time.ts';

/** `id`: 32 bytes that hold until the call returns. */
export type OnLink = (type: BlobType, id: Uint8Array) => void;

type FieldKind = 'uint32' | 'uint64' | 'time' | 'text' | 'content' | 'subtree';

const written = (text: string) => Buffer.from(text, 'latin1');

const BEGIN = written('{"nodes":[');
const END = written(']}');
const NAME = written('{"name":"');
const TYPE = written('"type":"');
const NULL = written('null');
const KINDS = [written('file"'), written('dir"'), written('symlink"')];
const [FILE] = KINDS;
/** In the order in which they are written; each may be absent. None comes twice, for none comes after a later one. */
const FIELDS: { key: Buffer; kind: FieldKind }[] = Object.entries({
  mode: 'uint32',
  ...{ mtime: 'time', atime: 'time', ctime: 'time' },
  ...{ uid: 'uint32', gid: 'uint32', user: 'text', group: 'text' },
  ...{ inode: 'uint64', device_id: 'uint64', size: 'uint64', links: 'uint64' },
  ...{ linktarget: 'text', content: 'content', subtree: 'subtree' },
} satisfies Record<string, FieldKind>).map(([key, kind]) => ({ key: written(`,"${key}":`), kind }));

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;
const CLOSING_BRACE = 0x7d;
const SLASH = 0x2f;
const DOT = 0x2e;
const NEWLINE = 0x0a;
const ID_DIGITS = 2 * ID_BYTES;
/** However they are chosen, these fit into 64 bits. */
const MOST_DIGITS = 19;
const NO_DIGIT = 0x10;
const DIGITS = Uint8Array.from({ length: 256 }, (_, byte) => {
  const value = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(value) ? NO_DIGIT : value;
});

/** False where the tree is written otherwise; some of its links may have been told then. */
export function takeUsualLinks(bytes: Buffer, onLink: OnLink): boolean {
  return new UsualTree(bytes, onLink).take();
}

class UsualTree {
  readonly #bytes: Buffer;
  readonly #onLink: OnLink;
  readonly #id = Buffer.alloc(ID_BYTES);
  #at = 0;
  /** Where the name before lies. */
  #lastName = { start: 0, end: 0 };

  constructor(bytes: Buffer, onLink: OnLink) {
    this.#bytes = bytes;
    this.#onLink = onLink;
  }

  take(): boolean {
    if (!this.#takes(BEGIN)) return false;
    if (this.#bytes[this.#at] !== CLOSING_BRACKET) {
      do if (!this.#node()) return false;
      while (this.#takesByte(COMMA));
    }
    if (!this.#takes(END)) return false;
    this.#takesByte(NEWLINE);
    return this.#at === this.#bytes.length;
  }

  #node(): boolean {
    if (!this.#takes(NAME) || !this.#name() || !this.#takesByte(COMMA)) return false;
    if (!this.#takes(TYPE)) return false;
    const kind = KINDS.find((one) => this.#takes(one));
    // What a link has to tell has its own rules.
    if (kind === undefined || kind === KINDS[2]) return false;
    for (const field of FIELDS) {
      if (this.#takes(field.key) && !this.#value(field.kind, kind === FILE)) return false;
    }
    return this.#takesByte(CLOSING_BRACE);
  }

  /** Printable ASCII that needs no escapes, and comes after the name before. */
  #name(): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    let end = start;
    for (; bytes[end] !== QUOTE; end += 1) {
      const byte = bytes[end] ?? 0;
      if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH || byte === SLASH) return false;
    }
    const dots = end - start < 3 && bytes[start] === DOT && bytes[end - 1] === DOT;
    const last = this.#lastName;
    const isLater = bytes.compare(bytes, last.start, last.end, start, end) > 0;
    this.#lastName = { start, end };
    this.#at = end + 1;
    return end > start && !dots && isLater;
  }

  #value(kind: FieldKind, isFile: boolean): boolean {
    switch (kind) {
      case 'uint32':
        return this.#number(0xffff_ffff);
      case 'uint64':
        return this.#number(Number.POSITIVE_INFINITY);
      case 'time':
        return this.#time();
      case 'text':
        return this.#text();
      case 'content':
        return this.#takes(NULL) || (isFile && this.#content());
      case 'subtree':
        return this.#link('tree');
    }
  }

  #number(most: number): boolean {
    const start = this.#at;
    let value = 0;
    for (;;) {
      const digit = (this.#bytes[this.#at] ?? 0) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      this.#at += 1;
    }
    return this.#at > start && this.#at - start <= MOST_DIGITS && value <= most;
  }

  #time(): boolean {
    const start = this.#at + 1;
    return (
      this.#text() && parseUsualGoTime(this.#bytes.subarray(start, this.#at - 1)) !== undefined
    );
  }

  /** A string without escapes. */
  #text(): boolean {
    if (!this.#takesByte(QUOTE)) return false;
    const bytes = this.#bytes;
    let end = this.#at;
    for (; bytes[end] !== QUOTE; end += 1) {
      const byte = bytes[end] ?? 0;
      if (byte < 0x20 || byte === BACKSLASH) return false;
    }
    this.#at = end + 1;
    return true;
  }

  #content(): boolean {
    if (!this.#takesByte(OPENING_BRACKET)) return false;
    if (this.#takesByte(CLOSING_BRACKET)) return true;
    do if (!this.#link('data')) return false;
    while (this.#takesByte(COMMA));
    return this.#takesByte(CLOSING_BRACKET);
  }

  #link(type: BlobType): boolean {
    if (!this.#takesByte(QUOTE)) return false;
    const bytes = this.#bytes;
    let seen = 0;
    for (let to = 0, at = this.#at; to < ID_BYTES; to += 1, at += 2) {
      const high = DIGITS[bytes[at] ?? 0] as number;
      const low = DIGITS[bytes[at + 1] ?? 0] as number;
      seen |= high | low;
      this.#id[to] = (high << 4) | low;
    }
    this.#at += ID_DIGITS;
    if (seen >= NO_DIGIT || !this.#takesByte(QUOTE)) return false;
    this.#onLink(type, this.#id);
    return true;
  }

  #takes(what: Buffer): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    for (let at = 0; at < what.length; at += 1) if (bytes[start + at] !== what[at]) return false;
    this.#at = start + what.length;
    return true;
  }

  #takesByte(byte: number): boolean {
    if (this.#bytes[this.#at] !== byte) return false;
    this.#at += 1;
    return true;
  }
}
