/**
 * The page map on disk, twice. `pages.now` follows every change at once, without fsync: it is true after the process was
 * killed, and may be anything after the machine was. `pages.durable` tells only of pages whose bytes were made durable
 * before: it is what counts after a reboot. Bits are only ever added, so a write that was torn harms nothing.
 */
import fs from 'node:fs';
import path from 'node:path';
import { writeWholeSync } from '#base';
import { LOST_PLACE, PageMap, pageMapBytes } from './page-map.ts';

const NOW = 'pages.now';
const DURABLE = 'pages.durable';
const BOOT = 'boot';
const SETTLED = 'settled';
const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id';

export class PageStore {
  readonly map: PageMap;
  readonly #bytes: Uint8Array;
  readonly #now: number;
  readonly #durable: number;

  constructor(map: PageMap, folder: string) {
    this.map = map;
    this.#bytes = new Uint8Array(map.shared);
    this.#now = fs.openSync(path.join(folder, NOW), 'r+');
    this.#durable = fs.openSync(path.join(folder, DURABLE), 'r+');
  }

  /** After the bytes of these pages were written, and under the lock. */
  added(file: number, first: number, end: number): void {
    const { start, end: stop } = this.map.markPresent(file, first, end);
    writeWholeSync(this.#now, this.#bytes.subarray(start, stop), start);
  }

  /** Known from then on also to whoever looks at it without a mount. */
  writeLost(): void {
    this.map.noteLostWrite();
    writeWholeSync(this.#now, this.#bytes.subarray(LOST_PLACE, LOST_PLACE + 4), LOST_PLACE);
  }

  /** Durable when it returns: before the file itself is cut, else bytes of before could show again behind the cut. */
  limited(file: number, sizeBytes: number): void {
    this.map.lowerLimit(file, sizeBytes);
    const place = this.map.limitPlace(file);
    fs.writeSync(this.#now, this.#bytes, place, 8, place);
    fs.writeSync(this.#durable, this.#bytes, place, 8, place);
    fs.fdatasyncSync(this.#durable);
  }

  /**
   * `syncFile` makes the bytes of the file durable. Pages that are there before it begins count as durable after it.
   * Resolves when the map is durable, too.
   */
  async made(file: number, syncFile: () => Promise<void>): Promise<void> {
    const changed = this.map.takeChanged(file);
    const bits = changed ? Buffer.from(this.map.bitsOf(file)) : undefined;
    try {
      await syncFile();
      if (bits) await this.#storeDurably(bits, this.map.startOf(file));
    } catch (error) {
      if (bits) this.map.noteChanged(file);
      throw error;
    }
  }

  /** As `made`, of all files at once: `sync` makes the bytes of every one of them durable. */
  async allMade(sync: () => Promise<void>): Promise<void> {
    const numbers = Array.from({ length: this.map.files }, (_, file) => file);
    const changed = numbers.filter((file) => this.map.takeChanged(file));
    const bits = changed.map((file) => Buffer.from(this.map.bitsOf(file)));
    try {
      await sync();
      bits.forEach((each, at) => {
        writeWholeSync(this.#durable, each, this.map.startOf(changed[at] as number));
      });
      await this.#syncDurable();
    } catch (error) {
      for (const file of changed) this.map.noteChanged(file);
      throw error;
    }
  }

  async #storeDurably(bits: Uint8Array, place: number): Promise<void> {
    writeWholeSync(this.#durable, bits, place);
    await this.#syncDurable();
  }

  async #syncDurable(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      fs.fdatasync(this.#durable, (error) => (error ? reject(error) : resolve()));
    });
  }

  close(): void {
    fs.closeSync(this.#now);
    fs.closeSync(this.#durable);
  }
}

/**
 * Nothing is here yet. `sizes`: bytes of each file. Nothing of a layout is made durable before `noteSettled`: without
 * that, what a host had of it when it ended counts as lost, whole or not.
 */
export function createPageFiles(folder: string, sizes: readonly number[]): void {
  const map = new PageMap(sizes, new SharedArrayBuffer(pageMapBytes(sizes)), true);
  const bytes = new Uint8Array(map.shared);
  fs.writeFileSync(path.join(folder, NOW), bytes, { mode: 0o600, flag: 'wx' });
  fs.writeFileSync(path.join(folder, DURABLE), bytes, { mode: 0o600, flag: 'wx' });
  fs.writeFileSync(path.join(folder, BOOT), bootId(), { mode: 0o600 });
}

/** As it was left: by a process of this boot, or by one before. */
export function loadPageMap(folder: string, sizes: readonly number[]): PageMap {
  const shared = new SharedArrayBuffer(pageMapBytes(sizes));
  const sameBoot = isOfThisBoot(folder);
  const bytes = fs.readFileSync(path.join(folder, sameBoot ? NOW : DURABLE));
  new Uint8Array(shared).set(bytes.subarray(0, shared.byteLength));
  const map = new PageMap(sizes, shared, false);
  map.breakLock();
  if (!sameBoot) {
    fs.writeFileSync(path.join(folder, NOW), bytes);
    fs.writeFileSync(path.join(folder, BOOT), bootId(), { flush: true });
  }
  return map;
}

/** Once everything that was written without care for this host's end is durable; what is written later with fsync is anyway. */
export function noteSettled(folder: string): void {
  fs.writeFileSync(path.join(folder, SETTLED), '', { mode: 0o600, flush: true });
}

/** True where this host ended before that: pages may show an older state than others. */
export function isLostWithHost(folder: string): boolean {
  return !isOfThisBoot(folder) && !isSettled(folder);
}

/** From then on every program learns by its fsync what was lost of what it wrote. */
export function isSettled(folder: string): boolean {
  return fs.existsSync(path.join(folder, SETTLED));
}

/** False also where what says so was never made durable. */
function isOfThisBoot(folder: string): boolean {
  const file = path.join(folder, BOOT);
  return fs.existsSync(file) && fs.readFileSync(file, 'utf8') === bootId();
}

/** Copies of one map for other threads see the same bytes. */
export function sharedPageMap(shared: SharedArrayBuffer, sizes: readonly number[]): PageMap {
  return new PageMap(sizes, shared, false);
}

function bootId(): string {
  return fs.readFileSync(BOOT_ID_FILE, 'utf8').trim();
}
