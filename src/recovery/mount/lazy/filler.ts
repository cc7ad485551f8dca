/**
 * Takes over what the thread of a lazy folder can't answer at once: reads of what lies in the repository alone, writes
 * into pages of it, and whatever waits for the disk. Answers the kernel by itself.
 */
import fs from 'node:fs';
import os from 'node:os';
import { promisify } from 'node:util';
import { allocateRange, writeWholeSync } from '#base';
import type { BlobCache } from '../blob-cache.ts';
import { encodeWritten } from '../fuse/change-requests.ts';
import { type FuseAnswer, sendAnswer } from '../fuse/reply.ts';
import type { BlockList } from './block-list.ts';
import type { Deferred } from './messages.ts';
import { PAGE_BYTES } from './page-map.ts';
import type { PageStore } from './page-store.ts';
import { pagesToFill, writePages } from './write-pages.ts';

const { EIO } = os.constants.errno;
const fsync = promisify(fs.fsync);
const fdatasync = promisify(fs.fdatasync);

type Of<Kind extends Deferred['kind']> = Extract<Deferred, { kind: Kind }>;

/** Content of the repository from `start` on. */
type Part = { start: number; bytes: Buffer };

export type FillerParts = {
  /** Of the device. */
  descriptor: number;
  pages: PageStore;
  blocks: BlockList;
  blobs: BlobCache;
  /** Told of whatever couldn't be read; whoever asked for it sees an I/O error. */
  onFailure: (error: unknown) => void;
};

export class Filler {
  readonly #parts: FillerParts;
  readonly #underWay = new Set<Promise<void>>();
  #readBytes = 0;

  constructor(parts: FillerParts) {
    this.#parts = parts;
  }

  take(request: Deferred): void {
    const answering = this.#answer(request).finally(() => this.#underWay.delete(answering));
    this.#underWay.add(answering);
  }

  /** Plain bytes of the repository that were asked for so far. */
  get readBytes(): number {
    return this.#readBytes;
  }

  /** When everything that was taken is answered. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** Brings the pages of a range here that aren't. Resolves to how many bytes were written for it. */
  async fill(file: number, descriptor: number, offset: number, end: number): Promise<number> {
    const { pages } = this.#parts;
    const first = Math.floor(offset / PAGE_BYTES);
    const last = Math.ceil(end / PAGE_BYTES);
    if (pages.map.hasRange(file, offset, end - offset)) return 0;
    const content = await this.#content(file, first * PAGE_BYTES, last * PAGE_BYTES);
    return pages.map.locked(() => this.#writeAbsent(file, descriptor, first, last, content));
  }

  async #answer(request: Deferred): Promise<void> {
    sendAnswer(this.#parts.descriptor, request.unique, await this.#result(request));
  }

  async #result(request: Deferred): Promise<FuseAnswer> {
    try {
      if (request.kind === 'read') return [await this.#read(request)];
      if (request.kind === 'write') return [await this.#write(request)];
      if (request.kind === 'sync') await this.#sync(request);
      else await this.#allocate(request);
      return [];
    } catch (error) {
      if (request.kind === 'write' && request.isWrittenBehind) this.#parts.pages.writeLost();
      const { errno } = error as NodeJS.ErrnoException;
      if (errno === undefined) this.#parts.onFailure(error);
      return { errno: Math.abs(errno ?? EIO) };
    }
  }

  /** Nothing is kept of it here: what is only read costs no disk. */
  async #read({ file, descriptor, offset, lengthBytes }: Of<'read'>): Promise<Buffer> {
    const { map } = this.#parts.pages;
    const sizeBytes = fs.fstatSync(descriptor).size;
    const end = Math.min(offset + lengthBytes, sizeBytes);
    if (end <= offset) return Buffer.alloc(0);
    const content = await this.#content(file, offset, end);
    const answer = Buffer.alloc(end - offset);
    map.locked(() => {
      const last = Math.ceil(end / PAGE_BYTES);
      for (const run of map.runs(file, Math.floor(offset / PAGE_BYTES), last)) {
        const from = Math.max(run.first * PAGE_BYTES, offset);
        const to = Math.min(run.end * PAGE_BYTES, end);
        const target = answer.subarray(from - offset, to - offset);
        if (run.present) fs.readSync(descriptor, target, 0, target.length, from);
        else copyParts(content, target, from, map.limitOf(file));
      }
    });
    return answer;
  }

  async #write({ file, descriptor, offset, data }: Of<'write'>): Promise<Buffer> {
    const { map } = this.#parts.pages;
    for (;;) {
      const [page] = pagesToFill(map, file, offset, data.length);
      if (page === undefined) break;
      await this.fill(file, descriptor, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
    }
    writePages(this.#parts.pages, file, descriptor, data, offset);
    return encodeWritten(data.length);
  }

  async #sync({ file, descriptor, dataOnly, closeAfter }: Of<'sync'>): Promise<void> {
    const sync = () => (dataOnly ? fdatasync(descriptor) : fsync(descriptor));
    try {
      if (file === undefined) await sync();
      else await this.#parts.pages.made(file, sync);
    } finally {
      if (closeAfter) fs.closeSync(descriptor);
    }
  }

  /** A range that is cut out or made zero counts as here; its edges must be here before. */
  async #allocate(request: Of<'allocate'>): Promise<void> {
    const { file, descriptor, offset, lengthBytes, mode } = request;
    const start = Number(offset);
    const end = start + Number(lengthBytes);
    if (file === undefined || mode <= KEEP_SIZE) {
      allocateRange(descriptor, mode, offset, lengthBytes);
      return;
    }
    const { pages } = this.#parts;
    await this.fill(file, descriptor, start, Math.min(end, pages.map.limitOf(file)));
    pages.map.locked(() => allocateRange(descriptor, mode, offset, lengthBytes));
  }

  async #content(file: number, offset: number, end: number): Promise<Part[]> {
    const { blocks, blobs, pages } = this.#parts;
    const limit = Math.min(end, pages.map.limitOf(file));
    const wanted = blocks.blocksOf(file, offset, limit);
    for (const { start, end: stop } of wanted) this.#readBytes += stop - start;
    return await Promise.all(
      wanted.map(async ({ id, start }) => ({ start, bytes: await blobs.get(id) })),
    );
  }

  #writeAbsent(
    file: number,
    descriptor: number,
    first: number,
    last: number,
    content: readonly Part[],
  ): number {
    const { pages } = this.#parts;
    let written = 0;
    for (const run of pages.map.runs(file, first, last)) {
      if (run.present) continue;
      const from = run.first * PAGE_BYTES;
      const to = Math.min(run.end * PAGE_BYTES, pages.map.limitOf(file));
      const bytes = Buffer.alloc(to - from);
      copyParts(content, bytes, from, pages.map.limitOf(file));
      writeWholeSync(descriptor, bytes, from);
      pages.added(file, run.first, run.end);
      written += bytes.length;
    }
    return written;
  }
}

/** FALLOC_FL_KEEP_SIZE: room is set aside, and no byte changes. */
const KEEP_SIZE = 1;

/** What the parts hold for `target`, which begins at `from`; nothing of the limit and beyond. */
function copyParts(parts: readonly Part[], target: Buffer, from: number, limit: number): void {
  for (const { start, bytes } of parts) {
    const begin = Math.max(start, from);
    const end = Math.min(start + bytes.length, from + target.length, limit);
    if (end > begin) bytes.copy(target, begin - from, begin - start, end - start);
  }
}
