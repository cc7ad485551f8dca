/** Where the content of a file gathers as it arrives, in memory of WebAssembly, so that every byte is checked in place. */
import fs from 'node:fs';

/** A multiple of every size that Postgres' pages can have, and small enough to stay in a processor's cache. */
export const WINDOW_BYTES = 512 * 1024;
/** Behind the tables of the checksum. */
const WINDOW_OFFSET = 64 * 1024;
const WASM_PAGE_BYTES = 64 * 1024;

type ContentExports = {
  memory: { buffer: ArrayBuffer; grow(pages: number): number };
  makeTables(): void;
  crc32c(state: number, at: number, end: number): number;
  findBadPage(
    at: number,
    end: number,
    pageBytes: number,
    block: number,
    startHigh: number,
    startLow: number,
  ): number;
};

export type Pages = {
  blockSizeBytes: number;
  /** Number of the first one. */
  firstBlock: number;
  /** Written since then: brought by WAL replay, and so not judged. */
  startLsn: bigint;
};

export class ContentWindow {
  readonly #content: ContentExports;
  readonly #room: Buffer;
  #fill = 0;

  /** `leastBytes`: of room. */
  constructor(leastBytes = WINDOW_BYTES) {
    const wasm = fs.readFileSync(new URL('content.wasm', import.meta.url));
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(wasm));
    this.#content = exports as unknown as ContentExports;
    const { memory } = this.#content;
    const wantedBytes = WINDOW_OFFSET + leastBytes;
    memory.grow(Math.ceil((wantedBytes - memory.buffer.byteLength) / WASM_PAGE_BYTES));
    this.#content.makeTables();
    this.#room = Buffer.from(memory.buffer, WINDOW_OFFSET, leastBytes);
  }

  /** For whoever puts bytes there without `add`, to have them checked. */
  get room(): Buffer {
    return this.#room;
  }

  get isFull(): boolean {
    return this.#fill === this.#room.length;
  }
  get isEmpty(): boolean {
    return this.#fill === 0;
  }

  /** Takes what there is room for; answers how many bytes that are. */
  add(bytes: Buffer, from: number): number {
    const taken = bytes.copy(this.#room, this.#fill, from);
    this.#fill += taken;
    return taken;
  }

  /** What was gathered: a view that holds until something is added. The window is empty then. */
  take(): Buffer {
    const taken = this.#room.subarray(0, this.#fill);
    this.#fill = 0;
    return taken;
  }

  /** The state of a CRC-32C after these bytes, which must be taken from here. See `crc32c.ts` for begin and end. */
  crc32c(state: number, taken: Buffer): number {
    return this.#content.crc32c(state, taken.byteOffset, taken.byteOffset + taken.length);
  }

  /** Numbers of the blocks whose checksum is wrong, of the whole pages in these bytes, which must be taken from here. */
  badPages(taken: Buffer, { blockSizeBytes, firstBlock, startLsn }: Pages): number[] {
    const begin = taken.byteOffset;
    const end = begin + taken.length - (taken.length % blockSizeBytes);
    const high = Number(startLsn >> 32n);
    const low = Number(startLsn & 0xffffffffn);
    const bad: number[] = [];
    for (let at = begin; at < end; at += blockSizeBytes) {
      const block = firstBlock + (at - begin) / blockSizeBytes;
      at = this.#content.findBadPage(at, end, blockSizeBytes, block, high, low);
      if (at < end) bad.push(firstBlock + (at - begin) / blockSizeBytes);
    }
    return bad;
  }
}
