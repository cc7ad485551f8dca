/**
 * A stored tree that entries are held against, byte by byte: what still begins as it did is taken over as it lies, and
 * neither read as JSON nor written again.
 */
import { isHoldfastError } from '#base';
import { decodeNodeAt, decodePlacedNodes, type PlacedNode } from './decode-tree.ts';

const ID_DIGITS = 64;
const BEGIN = Buffer.from('{"nodes":[');
const LINK_TARGET = Buffer.from(',"linktarget":"');
const XATTRS = Buffer.from(',"extended_attributes":[{');
const XATTRS_END = Buffer.from('}],"content":');
const CONTENT = Buffer.from(',"content":');
const NULL_END = Buffer.from('null}');
const SUBTREE = Buffer.from('null,"subtree":"');
const CONTENT_LETTER = 0x63;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const CLOSING_BRACE = 0x7d;
const OPENING_BRACKET = 0x5b;
const CLOSING_BRACKET = 0x5d;

export type KnownNode = {
  /** Its own bytes, from brace to brace, within the tree's. */
  start: number;
  end: number;
  /** Ids of a file's content, 32 bytes each. */
  content?: Buffer;
  /** Hex id of a folder's tree, and where its digits begin. */
  subtree?: string;
  subtreeAt?: number;
};

export class KnownTree {
  /** Hex id. */
  readonly id: string;
  readonly bytes: Buffer;
  /** Where the node lies that comes next; -1 where nothing more can be read. */
  #next: number;
  #taken = 0;
  #isChanged = false;
  /** The node at `#next`, where it was read already. */
  #read: PlacedNode | undefined;
  #text: Buffer = Buffer.alloc(1024);

  constructor(id: string, bytes: Buffer) {
    this.id = id;
    this.bytes = bytes;
    this.#next = matches(bytes, BEGIN, 0) ? BEGIN.length : firstNode(bytes);
  }

  /** True where every node was taken over, in order, and none is left. */
  get isWhole(): boolean {
    if (this.#isChanged || this.#next < 0) return false;
    return this.bytes[this.#taken === 0 ? this.#next : this.#next - 1] === CLOSING_BRACKET;
  }

  /**
   * The node of this name (latin1) where it begins with this text (see `wholeText`); undefined where it says something
   * else or isn't there. Ask for names in their order.
   */
  take(name: string, text: string): KnownNode | undefined {
    const wanted = this.#encoded(text);
    let isNext = this.#next >= 0 && matches(this.bytes, wanted, this.#next);
    if (!isNext && this.find(name)) isNext = matches(this.bytes, wanted, this.#next);
    const node = isNext ? this.#nodeAt(this.#next, wanted.length) : undefined;
    if (!node) return undefined;
    this.#taken += 1;
    this.#goTo(node.end);
    return node;
  }

  /**
   * What the tree says of this name (latin1), if anything, and from then on it counts as changed. What can't be read, or
   * isn't in order, is as good as not there: it is captured anew. Ask for names in their order.
   */
  find(name: string): PlacedNode | undefined {
    this.#isChanged = true;
    const wanted = Buffer.from(name, 'latin1');
    for (let placed = this.#atNext(); placed; placed = this.#atNext()) {
      const order = Buffer.compare(placed.node.name, wanted);
      if (order >= 0) return order === 0 ? placed : undefined;
      this.#goTo(placed.end);
    }
    return undefined;
  }

  #atNext(): PlacedNode | undefined {
    if (this.#next < 0) return undefined;
    try {
      this.#read ??= decodeNodeAt(this.bytes, this.#next);
      if (this.#read) this.#next = this.#read.start;
      return this.#read;
    } catch (error) {
      if (!isHoldfastError(error, 'repository/tree-damaged')) throw error;
      this.#next = -1;
      return undefined;
    }
  }

  /** Behind the comma after a node, or behind the bracket that ends them all. */
  #goTo(end: number): void {
    this.#next = end + 1;
    this.#read = undefined;
  }

  #encoded(text: string): Buffer {
    if (text.length > this.#text.length) this.#text = Buffer.alloc(text.length * 2);
    return this.#text.subarray(0, this.#text.write(text, 0, 'latin1'));
  }

  /** What follows the text, where it has one of the usual shapes; undefined where it must be read as JSON. */
  #nodeAt(start: number, textBytes: number): KnownNode | undefined {
    const { bytes } = this;
    let at = start + textBytes;
    // Mostly the content follows: its letter is looked at first, for each comparison of bytes is a call.
    const isContent = bytes[at + 2] === CONTENT_LETTER;
    if (!isContent && matches(bytes, LINK_TARGET, at)) {
      at = endOfString(bytes, at + LINK_TARGET.length);
      if (at < 0) return undefined;
    }
    if (!isContent && matches(bytes, XATTRS, at)) {
      // In a string a quote never stands without a backslash, so that this is no part of a value.
      const end = bytes.indexOf(XATTRS_END, at);
      if (end < 0) return undefined;
      at = end + '}]'.length;
    }
    if (!matches(bytes, CONTENT, at)) return undefined;
    at += CONTENT.length;
    if (bytes[at] === OPENING_BRACKET) return readContent(bytes, start, at + 1);
    if (matches(bytes, NULL_END, at)) return { start, end: at + NULL_END.length };
    return matches(bytes, SUBTREE, at) ? readSubtree(bytes, start, at + SUBTREE.length) : undefined;
  }
}

/** Where it begins in a tree that was written in another way; -1 where it can't be read. */
function firstNode(bytes: Buffer): number {
  try {
    const { value } = decodePlacedNodes(bytes).next();
    return value ? value.start : -1;
  } catch (error) {
    if (!isHoldfastError(error, 'repository/tree-damaged')) throw error;
    return -1;
  }
}

function matches(bytes: Buffer, wanted: Buffer, at: number): boolean {
  const end = at + wanted.length;
  return end <= bytes.length && bytes.compare(wanted, 0, wanted.length, at, end) === 0;
}

/** Behind the quote that ends the string; -1 where there is none. */
function endOfString(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at += 1) {
    if (bytes[at] === BACKSLASH) at += 1;
    else if (bytes[at] === QUOTE) return at + 1;
  }
  return -1;
}

function readContent(bytes: Buffer, start: number, from: number): KnownNode | undefined {
  const stride = ID_DIGITS + '"",'.length;
  let end = from;
  while (bytes[end] === QUOTE) end += bytes[end + stride - 1] === COMMA ? stride : stride - 1;
  if (bytes[end] !== CLOSING_BRACKET || bytes[end + 1] !== CLOSING_BRACE) return undefined;
  const count = Math.ceil((end - from) / stride);
  const content = Buffer.allocUnsafe(count * 32);
  for (let id = 0; id < count; id += 1) {
    const at = from + id * stride + 1;
    if (content.write(bytes.toString('latin1', at, at + ID_DIGITS), id * 32, 'hex') !== 32)
      return undefined;
  }
  return { start, end: end + 2, content };
}

function readSubtree(bytes: Buffer, start: number, subtreeAt: number): KnownNode | undefined {
  const end = subtreeAt + ID_DIGITS;
  if (bytes[end] !== QUOTE || bytes[end + 1] !== CLOSING_BRACE) return undefined;
  const subtree = bytes.toString('latin1', subtreeAt, end);
  return /^[0-9a-f]{64}$/.test(subtree) ? { start, end: end + 2, subtree, subtreeAt } : undefined;
}
