/** The parts of one folder as they come, and what may be noted of them together. */
import { hash } from 'node:crypto';
import type { EntryTable } from '#base';
import { trustedBeforeMs } from './contents.ts';
import type { Directory } from './directory.ts';

/** Held until the last part has come: some 65,000 entries. */
const MOST_PARTS = 64;

export class FolderParts {
  readonly path: string;
  /** Parts that nothing was done with yet. */
  #held: EntryTable[] = [];
  readonly #fingerprints: Buffer[] = [];
  /** What changed from then on (ms since 1970) may change again unseen. */
  readonly #trustedBeforeMs: number;
  /** The entries tell all that is to be said of the folder. */
  #isPlain = true;
  #isSettled = true;
  readonly #holds = { files: 0, folders: 0, bytes: 0 };

  /** `startedAtMs`: when this capture began. */
  constructor(path: string, startedAtMs: number) {
    this.path = path;
    this.#trustedBeforeMs = trustedBeforeMs(startedAtMs);
  }

  add(entries: EntryTable, isPlain: boolean): void {
    this.#held.push(entries);
    if (!isPlain) this.#isPlain = false;
    if (this.#isPlain) this.#fingerprints.push(entries.fingerprint());
  }

  /** Whether it makes sense to wait for the parts that are still to come. */
  get mayBeHeld(): boolean {
    return this.#isPlain && this.#held.length < MOST_PARTS;
  }

  /** Of all of it, once its last part was added; undefined where there is more to it. */
  get fingerprint(): Buffer | undefined {
    if (!this.#isPlain) return undefined;
    const [first, second] = this.#fingerprints;
    return second ? hash('sha256', Buffer.concat(this.#fingerprints), 'buffer') : first;
  }

  takeHeld(): EntryTable[] {
    const held = this.#held;
    this.#held = [];
    return held;
  }

  /** Counts what is being captured. */
  count(entries: EntryTable): void {
    for (let entry = 0; entry < entries.length; entry += 1) {
      if (changedMs(entries, entry) >= this.#trustedBeforeMs) this.#isSettled = false;
      const kind = entries.kind(entry);
      if (kind === 'dir') this.#holds.folders += 1;
      if (kind !== 'file') continue;
      this.#holds.files += 1;
      this.#holds.bytes += entries.sizeBytes(entry);
    }
  }

  /** Once all parts were counted. Undefined where something in it changed so lately that it may change again unseen. */
  get remember(): Directory['remember'] {
    const { fingerprint } = this;
    return fingerprint && this.#isSettled ? { fingerprint, holds: this.#holds } : undefined;
  }
}

/** ms since 1970. */
export function changedMs(entries: EntryTable, entry: number): number {
  return entries.ctimeSeconds(entry) * 1000 + entries.ctimeNanoseconds(entry) / 1e6;
}
