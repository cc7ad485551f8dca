/**
 * Index JSON into numbers, straight from its bytes: in pieces of any size, with a short way for blobs as restic and we
 * write them. Strict: what no writer writes is refused, and what is kept is never more than the file tells.
 */
import { errors } from '../errors.ts';
import {
  ENTRY_WORDS,
  LENGTH_WORD,
  OFFSET_WORD,
  PACK_WORD,
  PLAIN_WORD,
  TREE_BIT,
} from './entry-words.ts';
import { EntryCollector, type IndexEntries, type PackList } from './index-entries.ts';
import { BREAKS_OFF, JsonCursor, JsonShapeError } from './json-cursor.ts';
import { takeUsualBlob } from './usual-blob.ts';

const SEAL_BYTES = 32;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** A blob's own fields take 200 bytes; what others add to it may be longer. */
const MAX_KEPT_BYTES = 1024 * 1024;

type Place = 'before' | 'file' | 'packs' | 'pack' | 'blobs' | 'after';

export class IndexParser {
  readonly #fileName: string;
  readonly #cursor = new JsonCursor();
  readonly #collector = new EntryCollector();
  #place: Place = 'before';
  /** Nothing came yet of the list or the object that we are in. */
  #first = true;
  #list: PackList = 'packs';
  #packId: Buffer | undefined;
  #firstBlob = 0;
  #hasBlobs = false;

  constructor(fileName: string) {
    this.#fileName = fileName;
  }

  /** Throws `repository/file-damaged` naming the file. The piece may be used again afterwards. */
  feed(piece: Uint8Array): void {
    const cursor = this.#cursor;
    const kept = cursor.bytes.length;
    cursor.bytes = kept === 0 ? piece : Buffer.concat([cursor.bytes, piece]);
    cursor.at = 0;
    let start = 0;
    try {
      for (;;) {
        start = cursor.at;
        this.#step();
      }
    } catch (error) {
      if (error !== BREAKS_OFF) throw this.#refusal(error);
    }
    if (cursor.isSkipping) start = cursor.at;
    if (cursor.bytes.length - start > MAX_KEPT_BYTES) {
      throw errors.fileDamaged([this.#fileName, 'one of its entries is too long']);
    }
    cursor.bytes = Uint8Array.prototype.slice.call(cursor.bytes, start);
  }

  /** Throws `repository/file-damaged` where the document broke off. */
  end(): IndexEntries {
    if (this.#place !== 'after') {
      throw errors.fileDamaged([this.#fileName, 'its JSON breaks off']);
    }
    return this.#collector.entries();
  }

  #refusal(error: unknown): unknown {
    return error instanceof JsonShapeError
      ? errors.fileDamaged([this.#fileName, error.message])
      : error;
  }

  /** Takes one thing whole, or throws `BREAKS_OFF` and can be called again from its beginning. */
  #step(): void {
    const cursor = this.#cursor;
    if (cursor.isSkipping) {
      cursor.skip();
      this.#first = false;
      return;
    }
    switch (this.#place) {
      case 'before':
        cursor.take(OPEN_BRACE);
        this.#enter('file');
        break;
      case 'file':
        this.#fileField();
        break;
      case 'packs':
        this.#packInList();
        break;
      case 'pack':
        this.#packField();
        break;
      case 'blobs':
        this.#blobs();
        break;
      case 'after':
        cursor.peek();
        throw new JsonShapeError('something follows its JSON');
    }
  }

  #enter(place: Place): void {
    this.#place = place;
    this.#first = true;
  }

  #leave(place: Place): void {
    this.#place = place;
    this.#first = false;
  }

  /** What comes between two things of a list; true where the list ends. */
  #ended(close: number): boolean {
    if (this.#cursor.takeIf(close)) return true;
    if (!this.#first) this.#cursor.take(COMMA);
    return false;
  }

  /** The key of the next field, undefined where it is none of ours. */
  #key(): string | undefined {
    const key = this.#cursor.shortString();
    this.#cursor.take(COLON);
    this.#cursor.peek();
    return key;
  }

  #fileField(): void {
    const cursor = this.#cursor;
    if (this.#ended(CLOSE_BRACE)) {
      this.#leave('after');
      return;
    }
    const key = this.#key();
    if (key !== 'packs' && key !== 'packs_to_delete') {
      cursor.beginSkip();
      return;
    }
    if (cursor.takeNull()) {
      this.#first = false;
      return;
    }
    cursor.take(OPEN_BRACKET);
    this.#list = key;
    this.#enter('packs');
  }

  #packInList(): void {
    if (this.#ended(CLOSE_BRACKET)) {
      this.#leave('file');
      return;
    }
    this.#cursor.take(OPEN_BRACE);
    this.#packId = undefined;
    this.#hasBlobs = false;
    this.#firstBlob = this.#collector.blobs;
    this.#enter('pack');
  }

  #packField(): void {
    const cursor = this.#cursor;
    if (this.#ended(CLOSE_BRACE)) {
      this.#endPack();
      return;
    }
    const key = this.#key();
    if (key === 'id') {
      if (this.#packId) throw new JsonShapeError('it tells of a pack without a valid id');
      this.#packId = this.#id('it tells of a pack without a valid id');
      this.#first = false;
    } else if (key === 'blobs') {
      if (this.#hasBlobs || !cursor.takeIf(OPEN_BRACKET)) {
        throw new JsonShapeError('it tells of a pack without a list of blobs');
      }
      this.#hasBlobs = true;
      this.#enter('blobs');
    } else cursor.beginSkip();
  }

  #endPack(): void {
    if (!this.#packId || !this.#hasBlobs) {
      throw new JsonShapeError('it tells of a pack without a valid id');
    }
    const collector = this.#collector;
    collector.endPack(this.#packId, collector.blobs - this.#firstBlob, this.#list);
    this.#leave('packs');
  }

  /** As many as are there: one at a time would take longer than the blobs themselves. */
  #blobs(): void {
    const cursor = this.#cursor;
    const collector = this.#collector;
    if (this.#ended(CLOSE_BRACKET)) {
      this.#leave('pack');
      return;
    }
    collector.makeRoom();
    if (!takeUsualBlob(cursor, collector.words, collector.blobs * ENTRY_WORDS)) this.#anyBlob();
    collector.blobs += 1;
    this.#first = false;
    while (takeUsualNext(cursor, collector)) collector.blobs += 1;
  }

  /** A blob with its fields in any order and others among them. */
  #anyBlob(): void {
    const cursor = this.#cursor;
    const refused = 'it tells of a blob that can not be';
    let id: Buffer | undefined;
    let type: string | undefined;
    const numbers: Record<string, number | undefined> = {};
    cursor.take(OPEN_BRACE);
    for (let first = true; !cursor.takeIf(CLOSE_BRACE); first = false) {
      if (!first) cursor.take(COMMA);
      const key = this.#key();
      if (key === 'id') id = this.#id('one of its blobs has an id that is none');
      else if (key === 'type') type = cursor.shortString();
      else if (key === 'offset' || key === 'length' || key === 'uncompressed_length') {
        numbers[key] = cursor.uint32();
      } else this.#skipHere();
    }
    const { offset, length, uncompressed_length: plain = 0 } = numbers;
    const isType = type === 'data' || type === 'tree';
    if (!id || !isType || offset === undefined || length === undefined || length < SEAL_BYTES) {
      throw new JsonShapeError(refused);
    }
    const { words, blobs } = this.#collector;
    const at = blobs * ENTRY_WORDS;
    for (let word = 0; word < 8; word += 1) words[at + word] = id.readUInt32LE(word * 4);
    words[at + PACK_WORD] = type === 'tree' ? TREE_BIT : 0;
    words[at + OFFSET_WORD] = offset;
    words[at + LENGTH_WORD] = length;
    words[at + PLAIN_WORD] = plain;
  }

  /** Within a blob, which is read again from its beginning where it breaks off. */
  #skipHere(): void {
    this.#cursor.beginSkip();
    try {
      this.#cursor.skip();
    } finally {
      this.#cursor.forgetSkip();
    }
  }

  #id(refused: string): Buffer {
    const text = this.#cursor.shortString();
    if (text === undefined || !/^[0-9a-f]{64}$/.test(text)) throw new JsonShapeError(refused);
    return Buffer.from(text, 'hex');
  }
}

/** A comma and a blob as writers write it; else nothing is taken. */
function takeUsualNext(cursor: JsonCursor, collector: EntryCollector): boolean {
  if (cursor.bytes[cursor.at] !== COMMA) return false;
  collector.makeRoom();
  cursor.at += 1;
  if (takeUsualBlob(cursor, collector.words, collector.blobs * ENTRY_WORDS)) return true;
  cursor.at -= 1;
  return false;
}
