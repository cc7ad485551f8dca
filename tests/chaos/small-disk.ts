/** A file system of its own in memory, of which as much is free as a trial wants. Needs root. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { allocateRange } from '#base';

/** A file system gives its room away in these. */
export const ROOM_STEP_BYTES = 4096;

export class SmallDisk {
  readonly folder: string;
  readonly #ballast: string;

  constructor(sizeMib: number) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-small-disk-'));
    const options = `size=${sizeMib}m,mode=700`;
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'holdfast-chaos', this.folder]);
    this.#ballast = path.join(this.folder, 'ballast');
  }

  place(name: string): string {
    return path.join(this.folder, name);
  }

  get freeBytes(): number {
    const { bavail, bsize } = fs.statfsSync(this.folder);
    return bavail * bsize;
  }

  /** From now on so much is free, at most. */
  leave(bytes: number): void {
    this.giveBack();
    const taken = this.freeBytes - bytes;
    const ballast = fs.openSync(this.#ballast, 'w', 0o600);
    try {
      if (taken > 0) allocateRange(ballast, 0, 0n, BigInt(taken));
    } finally {
      fs.closeSync(ballast);
    }
  }

  giveBack(): void {
    fs.rmSync(this.#ballast, { force: true });
  }

  close(): void {
    // A trial that failed may have files open here still: its failure is what is to be told.
    execFileSync('umount', ['--lazy', this.folder]);
    fs.rmdirSync(this.folder);
  }
}

/** Where only root may mount, nothing can be made full. */
export function canMakeDisks(): boolean {
  return process.getuid?.() === 0;
}
