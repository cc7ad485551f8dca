/** Open files of a lazy folder: reading and writing what is here at once, handing on what isn't. */
import fs from 'node:fs';
import os from 'node:os';
import { writeWholeSync } from '#base';
import {
  decodeAllocate,
  decodeOpenFlags,
  decodeSync,
  decodeWrite,
  encodeWritten,
  type WriteRequest,
} from '../fuse/change-requests.ts';
import { MAX_TRANSFER_BYTES, OPENED } from '../fuse/opcodes.ts';
import type { FuseAnswer } from '../fuse/reply.ts';
import { decodeRead, encodeOpened, type FuseRequest } from '../fuse/wire.ts';
import type { Deferred } from './messages.ts';
import type { FolderNode, NodeTable } from './nodes.ts';
import type { PageStore } from './page-store.ts';
import { appendSparsely, hasEmptyPage } from './sparse-append.ts';
import { needsFilling, notingLoss, writePages } from './write-pages.ts';

const { EBADF, ENOENT, ESTALE } = os.constants.errno;
const { O_APPEND, O_CREAT, O_DIRECT, O_EXCL, O_RDONLY, O_RDWR } = fs.constants;
const O_ACCMODE = 3;

/** A log that grows by its commits: handing them on would take as long as the disk does. */
const SHORT_SYNC_BYTES = 256 * 1024;

/** Undefined: somebody else answers. */
export type MaybeAnswer = FuseAnswer | undefined;

type OpenFile = { node: FolderNode; descriptor: number };

export class FolderFiles {
  readonly #nodes: NodeTable;
  readonly #pages: PageStore;
  readonly #isSettled: () => boolean;
  readonly #defer: (request: Deferred) => void;
  readonly #open = new Map<bigint, OpenFile>();
  readonly #buffer = Buffer.allocUnsafeSlow(MAX_TRANSFER_BYTES);
  #nextHandle = 1n;

  /** `isSettled`: what is written to new files from then on takes room also where it is zeros, as it may be there to set room aside. */
  constructor(
    nodes: NodeTable,
    pages: PageStore,
    isSettled: () => boolean,
    defer: (request: Deferred) => void,
  ) {
    this.#nodes = nodes;
    this.#pages = pages;
    this.#isSettled = isSettled;
    this.#defer = defer;
  }

  open(node: FolderNode, body: Buffer): FuseAnswer {
    const path = this.#nodes.pathOf(node);
    if (!path) return { errno: ESTALE };
    return [this.opened(node, fs.openSync(path, flagsBelow(decodeOpenFlags(body))))];
  }

  /** The body of an answer to OPEN. */
  opened(node: FolderNode, descriptor: number): Buffer {
    const handle = this.#nextHandle;
    this.#nextHandle += 1n;
    this.#open.set(handle, { node, descriptor });
    node.descriptors.push(descriptor);
    return encodeOpened(handle, OPENED.keepCache);
  }

  release(body: Buffer): FuseAnswer {
    const handle = body.readBigUInt64LE(0);
    const file = this.#open.get(handle);
    if (!file) return [];
    this.#open.delete(handle);
    const { descriptors } = file.node;
    descriptors.splice(descriptors.indexOf(file.descriptor), 1);
    fs.closeSync(file.descriptor);
    return [];
  }

  /** What nobody released. */
  openDescriptors(): number[] {
    return [...this.#open.values()].map(({ descriptor }) => descriptor);
  }

  read({ unique, body }: FuseRequest): MaybeAnswer {
    const { handle, offset, sizeBytes } = decodeRead(body);
    const file = this.#open.get(handle);
    if (!file) return { errno: EBADF };
    const { descriptor, node } = file;
    const at = Number(offset);
    if (node.lazy !== undefined && !this.#pages.map.hasRange(node.lazy, at, sizeBytes)) {
      const where = { file: node.lazy, descriptor, offset: at, lengthBytes: sizeBytes };
      this.#defer({ kind: 'read', unique, ...where });
      return undefined;
    }
    return [this.#buffer.subarray(0, fs.readSync(descriptor, this.#buffer, 0, sizeBytes, at))];
  }

  write({ unique, body }: FuseRequest): MaybeAnswer {
    const request = decodeWrite(body);
    const file = this.#open.get(request.handle);
    if (!file) return { errno: EBADF };
    return notingLoss(this.#pages, request, () => this.#write(file, unique, request));
  }

  #write({ descriptor, node }: OpenFile, unique: bigint, request: WriteRequest): MaybeAnswer {
    const { offset, data, isWrittenBehind } = request;
    node.unsyncedBytes += data.length;
    if (node.lazy === undefined) {
      return [encodeWritten(this.#writePlain(descriptor, request))];
    }
    if (needsFilling(this.#pages.map, node.lazy, offset, data.length)) {
      const where = { file: node.lazy, descriptor, offset };
      this.#defer({ kind: 'write', unique, ...where, data: new Uint8Array(data), isWrittenBehind });
      return undefined;
    }
    writePages(this.#pages, node.lazy, descriptor, data, offset);
    return [encodeWritten(data.length)];
  }

  /**
   * A program goes on with what is left of its write; the kernel, which told it long ago that all was written, doesn't.
   * Before anything of a copy is durable, its database begins a log of its own by filling a whole segment, and most
   * copies never need more of it than a few pages.
   */
  #writePlain(descriptor: number, { data, offset, isWrittenBehind }: WriteRequest): number {
    if (hasEmptyPage(data) && this.#isAppendedEarly(descriptor, offset)) {
      appendSparsely(descriptor, data, offset);
      return data.length;
    }
    if (!isWrittenBehind) return fs.writeSync(descriptor, data, 0, data.length, offset);
    writeWholeSync(descriptor, data, offset);
    return data.length;
  }

  #isAppendedEarly(descriptor: number, offset: number): boolean {
    return offset >= fs.fstatSync(descriptor).size && !this.#isSettled();
  }

  sync({ unique, body }: FuseRequest): MaybeAnswer {
    const { handle, dataOnly } = decodeSync(body);
    const file = this.#open.get(handle);
    if (!file) return { errno: EBADF };
    const { descriptor, node } = file;
    const isShort = node.lazy === undefined && node.unsyncedBytes <= SHORT_SYNC_BYTES;
    node.unsyncedBytes = 0;
    if (isShort && dataOnly) {
      fs.fdatasyncSync(descriptor);
      return [];
    }
    this.#defer({ kind: 'sync', unique, file: node.lazy, descriptor, dataOnly });
    return undefined;
  }

  allocate({ unique, body }: FuseRequest): MaybeAnswer {
    const { handle, offset, lengthBytes, mode } = decodeAllocate(body);
    const file = this.#open.get(handle);
    if (!file) return { errno: EBADF };
    const { descriptor, node } = file;
    const range = { descriptor, offset, lengthBytes, mode };
    this.#defer({ kind: 'allocate', unique, file: node.lazy, ...range });
    return undefined;
  }

  /** Cuts or lengthens; by its name, or by an open descriptor where it has none. */
  resize(node: FolderNode, sizeBytes: number): FuseAnswer | undefined {
    const descriptor = node.descriptors[0];
    const path = this.#nodes.pathOf(node);
    if (!path && descriptor === undefined) return { errno: ENOENT };
    const { lazy } = node;
    this.#pages.map.locked(() => {
      if (lazy !== undefined && sizeBytes < this.#pages.map.limitOf(lazy)) {
        this.#pages.limited(lazy, sizeBytes);
      }
      if (path) fs.truncateSync(path, sizeBytes);
      else fs.ftruncateSync(descriptor as number, sizeBytes);
    });
    return undefined;
  }
}

/**
 * With its write-back cache the kernel reads a page before a part of it is written, also in a file that was opened to
 * write alone, and knows by itself where the end is to append at.
 */
export function flagsBelow(flags: number): number {
  const writes = (flags & O_ACCMODE) !== O_RDONLY;
  const kept = flags & ~(O_ACCMODE | O_APPEND | O_CREAT | O_EXCL | O_DIRECT);
  return kept | (writes ? O_RDWR : O_RDONLY);
}
