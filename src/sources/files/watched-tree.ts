/**
 * A folder with everything below it under inotify, and the set of directories in which something changed. Paths are
 * relative to the root, one character for each byte (latin1), as in `walk.ts`.
 */
import fs from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import {
  inotifyBits as bits,
  type Inotify,
  type InotifyEvent,
  openInotify,
  systemClock,
  systemCode,
} from '#base';
import type { Exclusion } from './exclusion.ts';
import { listDirectory } from './walk.ts';

export type WatchedTreeOptions = {
  exclusion: Exclusion | undefined;
  oneFileSystem: boolean;
};

type Watched = {
  name: string;
  parent: Watched | undefined;
  watch: number;
  children: Map<string, Watched>;
};

const ASKED_FOR =
  bits.modified |
  bits.attributes |
  bits.closedAfterWriting |
  bits.movedFrom |
  bits.movedTo |
  bits.created |
  bits.deleted |
  bits.selfDeleted |
  bits.selfMoved |
  bits.onlyDirectory |
  bits.dontFollow |
  bits.excludeUnlinked;

const SLICE_MS = 8;
// A set of more directories says no more than "everything".
const MAX_CHANGED = 50_000;

export class WatchedTree {
  /** Counts up with each change, so that a waiting caller sees when it has become quiet. */
  eventCount = 0;
  readonly #root: Buffer;
  readonly #rootDevice: bigint;
  readonly #options: WatchedTreeOptions;
  readonly #inotify: Inotify;
  readonly #top: Watched = { name: '', parent: undefined, watch: -1, children: new Map() };
  readonly #byWatch = new Map<number, Watched>();
  #changed = new Set<string>();
  #everythingChanged = false;
  /** One folder has two names (bind mounts): its events tell only one of them. */
  #isAmbiguous = false;
  #scansUnderWay = 0;
  #isLost = false;
  #failure: unknown;
  #wake: (() => void) | undefined;

  private constructor(root: Buffer, options: WatchedTreeOptions) {
    this.#root = root;
    this.#options = options;
    this.#rootDevice = fs.lstatSync(root, { bigint: true }).dev;
    this.#inotify = openInotify();
  }

  /** Resolves when every folder is watched. Rejects with system errors: ENOSPC and EMFILE are the kernel's limits. */
  static async open(root: Buffer, options: WatchedTreeOptions): Promise<WatchedTree> {
    const tree = new WatchedTree(root, options);
    try {
      tree.#inotify.listen((events) => tree.#take(events));
      await tree.#scan(tree.#top, false);
      if (tree.#top.watch === -1) fs.accessSync(root, fs.constants.R_OK);
      return tree;
    } catch (error) {
      tree.close();
      throw error;
    }
  }

  /** The root is gone, or events were lost: close it and open another one. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** True where `takeChanges` has something to tell, or something to throw. */
  get hasNews(): boolean {
    if (this.#isLost || this.#failure !== undefined) return true;
    return this.#everythingChanged || this.#changed.size > 0;
  }

  /** False while new folders are still looked through. */
  get isSettled(): boolean {
    return this.#scansUnderWay === 0 || this.#failure !== undefined;
  }

  /** Resolves at the next event, at the latest after `timeoutMs`. */
  async nextEvent(timeoutMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = setTimeout(resolve, timeoutMs);
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
  }

  /** Lets `nextEvent` resolve at once. */
  wake(): void {
    this.#wake?.();
  }

  /** Takes in what the kernel has queued: afterwards everything that happened before is known, once it `isSettled`. */
  drain(): void {
    const events = this.#inotify.drain();
    if (events.length > 0) this.#take(events);
  }

  /** The directories changed since the last call; undefined: any may be. Throws what a folder couldn't be watched for. */
  takeChanges(): ReadonlySet<string> | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    const changed = this.#everythingChanged || this.#isAmbiguous ? undefined : this.#changed;
    this.#changed = new Set();
    this.#everythingChanged = false;
    return changed;
  }

  close(): void {
    this.#inotify.close();
  }

  #take(events: readonly InotifyEvent[]): void {
    for (const event of events) this.#takeOne(event);
    this.eventCount += events.length;
    this.#wake?.();
  }

  #takeOne({ watch, mask, name }: InotifyEvent): void {
    if (mask & bits.overflow) {
      this.#isLost = true;
      return;
    }
    const folder = this.#byWatch.get(watch);
    if (!folder) return;
    if (mask & bits.watchEnded) this.#byWatch.delete(watch);
    if (folder === this.#top && mask & (bits.selfDeleted | bits.selfMoved | bits.unmounted)) {
      this.#isLost = true;
    }
    if (mask & (bits.watchEnded | bits.selfDeleted | bits.selfMoved | bits.unmounted)) return;
    const path = pathOf(folder);
    const isDirectory = (mask & bits.isDirectory) !== 0;
    if (name !== '' && this.#options.exclusion?.(join(path, name), isDirectory)) return;
    this.#markChanged(path);
    if (isDirectory && name !== '') this.#takeDirectoryEvent(folder, mask, name);
  }

  #takeDirectoryEvent(parent: Watched, mask: number, name: string): void {
    const known = parent.children.get(name);
    if (mask & (bits.movedFrom | bits.deleted)) {
      if (known) this.#forget(known);
    } else if (mask & (bits.created | bits.movedTo) || !known) {
      if (known) this.#forget(known);
      // Everything in it is new here, whatever it was elsewhere.
      const child = newChild(parent, name);
      this.#scan(child, true).catch((error: unknown) => {
        this.#failure ??= error;
        this.#wake?.();
      });
    } else this.#markChanged(pathOf(known));
  }

  /** Watches a folder and all below. First the watch, then the look: what comes in between is seen twice, never missed. */
  async #scan(top: Watched, isChange: boolean): Promise<void> {
    this.#scansUnderWay += 1;
    try {
      const waiting = [top];
      let sliceStartMs = systemClock.monotonicMs();
      for (let folder = waiting.pop(); folder; folder = waiting.pop()) {
        if (systemClock.monotonicMs() - sliceStartMs > SLICE_MS) {
          await setImmediate();
          sliceStartMs = systemClock.monotonicMs();
        }
        if (isChange) this.#markChanged(pathOf(folder));
        waiting.push(...(await this.#watch(folder)));
      }
    } finally {
      this.#scansUnderWay -= 1;
      this.#wake?.();
    }
  }

  /** Gives the folders in it. One that is gone again or may not be read has none: its parent's events tell the rest. */
  async #watch(folder: Watched): Promise<Watched[]> {
    const path = pathOf(folder);
    const absolutePath = this.#absolute(path);
    try {
      if (this.#options.oneFileSystem && this.#isElsewhere(absolutePath)) return [];
      folder.watch = this.#inotify.add(absolutePath, ASKED_FOR);
      const known = this.#byWatch.get(folder.watch);
      if (known && known !== folder) this.#isAmbiguous = true;
      this.#byWatch.set(folder.watch, folder);
      const entries = await listDirectory(absolutePath);
      return entries
        .filter((entry) => entry.isDirectory() && !folder.children.has(entry.name))
        .filter((entry) => !this.#options.exclusion?.(join(path, entry.name), true))
        .map((entry) => newChild(folder, entry.name));
    } catch (error) {
      if (SKIPPED_ERRORS.has(systemCode(error) ?? '')) return [];
      throw error;
    }
  }

  #isElsewhere(absolutePath: Buffer): boolean {
    return fs.lstatSync(absolutePath, { bigint: true }).dev !== this.#rootDevice;
  }

  #forget(top: Watched): void {
    top.parent?.children.delete(top.name);
    const waiting = [top];
    for (let folder = waiting.pop(); folder; folder = waiting.pop()) {
      if (this.#byWatch.get(folder.watch) === folder) {
        this.#byWatch.delete(folder.watch);
        this.#inotify.remove(folder.watch);
      }
      waiting.push(...folder.children.values());
    }
  }

  #markChanged(path: string): void {
    if (this.#everythingChanged) return;
    this.#changed.add(path);
    if (this.#changed.size > MAX_CHANGED) {
      this.#changed.clear();
      this.#everythingChanged = true;
    }
  }

  #absolute(path: string): Buffer {
    return path === ''
      ? this.#root
      : Buffer.concat([this.#root, SLASH, Buffer.from(path, 'latin1')]);
  }
}

const SLASH = Buffer.from('/');
const SKIPPED_ERRORS = new Set(['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENAMETOOLONG']);

function newChild(parent: Watched, name: string): Watched {
  const child: Watched = { name, parent, watch: -1, children: new Map() };
  parent.children.set(name, child);
  return child;
}

function pathOf(folder: Watched): string {
  let path = folder.name;
  for (let above = folder.parent; above?.parent; above = above.parent) {
    path = `${above.name}/${path}`;
  }
  return path;
}

function join(parent: string, name: string): string {
  return parent === '' ? name : `${parent}/${name}`;
}
