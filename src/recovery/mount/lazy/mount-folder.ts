/** A laid-out tree, mounted: complete at once for whoever looks, filled as it is touched or in the background. */
import fs from 'node:fs';
import path from 'node:path';
import type { Worker } from 'node:worker_threads';
import { syncFileSystem } from '#base';
import { errors } from '../../errors.ts';
import type { BlobCache } from '../blob-cache.ts';
import { mountDevice } from '../fuse/kernel.ts';
import { BlockList, type LazyFile, readLazyFiles } from './block-list.ts';
import { Filler } from './filler.ts';
import { takeFolderThread } from './folder-threads.ts';
import type { LazyPlaces } from './lay-out.ts';
import type { FolderThreadData, FolderThreadMessage } from './messages.ts';
import { PAGE_BYTES } from './page-map.ts';
import { isLostWithHost, isSettled, loadPageMap, noteSettled, PageStore } from './page-store.ts';
import { tellingFull } from './telling-full.ts';
import { allowWritingBehind } from './writing-behind.ts';

export type MountFolderOptions = LazyPlaces & {
  mountPoint: string;
  blobs: BlobCache;
  /** False spares a database a request before each write, and leaves programs without extended attributes. */
  hasXattrs: boolean;
  /**
   * True: the kernel tells programs that all is written before it hands it to us, and only their fsync tells of a full
   * disk. Much faster for who writes much without a sync, as a server that replays WAL does. False: each write tells.
   */
  writesBehind: boolean;
  /** Told of whatever couldn't be read from the repository; a program that asked for it saw an I/O error. */
  onFailure: (error: unknown) => void;
};

export type HydrationProgress = { doneBytes: number; totalBytes: number };

export type MountedFolder = {
  mountPoint: string;
  /** Plain bytes of the repository that were needed so far, whole blocks. */
  readBytes(): number;
  /** Resolves when it is unmounted, whoever did it. */
  ended: Promise<void>;
  /** Unmounts; whoever still uses it sees errors. What was written is on disk, durable as far as it was synced. */
  end(): Promise<void>;
  /**
   * Brings everything here, and makes it durable. Rejects with the signal's reason, and `recovery/mount-full`; may be
   * called again then. Rejects with `recovery/writes-lost`, too. `pace` is awaited after each step, with the bytes that
   * were written in it.
   */
  hydrate(
    signal: AbortSignal,
    onProgress?: (progress: HydrationProgress) => void,
    pace?: Pace,
  ): Promise<void>;
  /** How much is here, by whatever way it came. */
  present(): HydrationProgress;
  /** All that was written to it so far is durable when it resolves. Rejects with `recovery/writes-lost`. */
  settle(): Promise<void>;
};

type Pace = (writtenBytes: number) => Promise<void>;

/** Needs a layout (`layOutTree`); goes on where an earlier mount, or machine, stopped. Throws `recovery/lost-with-host`. */
export async function mountFolder(options: MountFolderOptions): Promise<MountedFolder> {
  const { files: folder, state, mountPoint, blobs, hasXattrs, writesBehind, onFailure } = options;
  if (isLostWithHost(state)) throw errors.lostWithHost([folder]);
  const files = readLazyFiles(state);
  const map = loadPageMap(
    state,
    files.map(({ sizeBytes }) => sizeBytes),
  );
  const pages = new PageStore(map, state);
  const blocks = new BlockList(state, files);
  const mount = await mountDevice(mountPoint, { allowOthers: true, readOnly: false });
  if (writesBehind) allowWritingBehind(mountPoint);
  const { descriptor } = mount;
  const filler = new Filler({ descriptor, pages, blocks, blobs, onFailure });
  const threadData: FolderThreadData = {
    ...{ descriptor, folder, state, hasXattrs, writesBehind },
    pages: map.shared,
  };
  const thread = takeFolderThread(threadData);
  let left: number[] = [];
  const agreed = Promise.withResolvers<void>();
  thread.on('message', (message: FolderThreadMessage) => {
    if (message.kind === 'agreed') agreed.resolve();
    else if (message.kind === 'deferred') filler.take(message.request);
    else left = message.descriptors;
  });
  const ending = new AbortController();
  const underWay = new Set<Promise<void>>();
  const tracked = (work: Promise<void>): Promise<void> => {
    underWay.add(work);
    return work.finally(() => underWay.delete(work));
  };
  const served = async () => {
    try {
      await untilThreadEnds(thread);
    } finally {
      ending.abort(new Error('it was unmounted'));
      await filler.settled();
      // What they write to is closed next, and its numbers may be others' then.
      await Promise.allSettled(underWay);
      for (const descriptor of left) fs.closeSync(descriptor);
      await mount.unmount();
      mount.close();
      blocks.close();
      pages.close();
    }
  };
  const ended = served();
  await Promise.race([agreed.promise, ended]);
  return {
    mountPoint,
    readBytes: () => filler.readBytes,
    ended,
    end: async () => {
      await mount.unmount();
      await ended;
    },
    hydrate: (asked, onProgress = () => {}, pace = async () => {}) => {
      const signal = AbortSignal.any([asked, ending.signal]);
      const parts = { folder, state, files, pages, filler, signal, onProgress, pace };
      return tracked(tellingFull(folder, () => hydrate(parts)));
    },
    present: () => ({
      doneBytes: map.presentBytes(),
      totalBytes: files.reduce((sum, file) => sum + wholePages(file), 0),
    }),
    settle: () => tracked(settle(mountPoint, folder, state, pages)),
  };
}

async function untilThreadEnds(thread: Worker): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    thread.once('error', reject).once('exit', () => resolve());
  });
}

/** What is asked for at once: some packs' worth of neighbours. */
const STEP_BYTES = 4 * 1024 * 1024;

type Hydrating = {
  folder: string;
  state: string;
  files: readonly LazyFile[];
  pages: PageStore;
  filler: Filler;
  signal: AbortSignal;
  onProgress: (progress: HydrationProgress) => void;
  pace: Pace;
};

async function hydrate(options: Hydrating): Promise<void> {
  const { folder, state, files, pages, filler, signal, onProgress, pace } = options;
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  for await (const { number, descriptor } of openLazyFiles(folder, files)) {
    const { sizeBytes } = files[number] as LazyFile;
    for (let offset = 0; offset < sizeBytes; offset += STEP_BYTES) {
      signal.throwIfAborted();
      const end = Math.min(offset + STEP_BYTES, sizeBytes, pages.map.limitOf(number));
      const written = end > offset ? await filler.fill(number, descriptor, offset, end) : 0;
      doneBytes += Math.min(STEP_BYTES, sizeBytes - offset);
      onProgress({ doneBytes, totalBytes });
      if (written > 0) await pace(written);
    }
    await pages.made(number, () => syncDescriptor(descriptor));
  }
  refuseLostWrites(folder, state, pages);
}

async function settle(
  mountPoint: string,
  folder: string,
  state: string,
  pages: PageStore,
): Promise<void> {
  try {
    // In a process of its own: the kernel hands us what it still holds, and we must be free to take it.
    await syncFileSystem(mountPoint);
  } finally {
    refuseLostWrites(folder, state, pages);
  }
  await pages.allMade(() => syncFileSystem(folder));
  noteSettled(state);
}

/** Once it was settled, whoever wrote what was lost has learnt of it: a database writes it again from its own log. */
function refuseLostWrites(folder: string, state: string, { map }: PageStore): void {
  if (map.hasLostWrites && !isSettled(state)) throw errors.writesLost([folder]);
}

const wholePages = ({ sizeBytes }: LazyFile) => Math.ceil(sizeBytes / PAGE_BYTES) * PAGE_BYTES;

function syncDescriptor(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.fsync(descriptor, (error) => (error ? reject(error) : resolve()));
  });
}

/** Wherever they lie by now; those that were removed meanwhile need nothing any more. */
async function* openLazyFiles(
  folder: string,
  files: readonly LazyFile[],
): AsyncGenerator<{ number: number; descriptor: number }> {
  const numbers = new Map(files.map(({ inode }, number) => [inode, number]));
  const done = new Set<number>();
  for await (const entry of await fs.promises.opendir(folder, { recursive: true })) {
    if (!entry.isFile()) continue;
    const descriptor = openQuietly(path.join(entry.parentPath, entry.name));
    if (descriptor === undefined) continue;
    try {
      const stat = fs.fstatSync(descriptor, { bigint: true });
      const number = numbers.get(stat.ino);
      if (number === undefined || done.has(number)) continue;
      if (files[number]?.bornNs !== stat.birthtimeNs) continue;
      done.add(number);
      yield { number, descriptor };
    } finally {
      fs.closeSync(descriptor);
    }
  }
}

/** It may have been removed since it was listed. */
function openQuietly(file: string): number | undefined {
  try {
    return fs.openSync(file, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
