import { HoldfastError } from '#base';
import { systemErrorFacts } from '../writer/messages.ts';
import type { BlobOpener } from './blob-opener.ts';
import { blobsOf } from './decode-job.ts';
import { isAllZero } from './holes.ts';
import { PlacedFiles } from './placed-files.ts';
import { PIECE_NUMBERS, type PlacedOutcome, type PlacingJob } from './placing-job.ts';
import { ListedFiles } from './planned-files.ts';

/** Throws only what no entry is to blame for. */
export function runPlacingJob(opener: BlobOpener, job: PlacingJob): PlacedOutcome {
  const { pieces } = job;
  const { packId } = job.stretch;
  const blobs = blobsOf(job.stretch);
  const sealed = new Uint8Array(job.stretch.sealed);
  const run = new PlacingRun(job, blobs.length);
  try {
    let number = -1;
    let next = 0;
    opener.openEach(packId, sealed, blobs, (_blob, open) => {
      number += 1;
      let bytes: Buffer | undefined;
      try {
        bytes = open().plain;
        run.outcome.whole[number] = 1;
      } catch (error) {
        // Whoever planned reads it again, from every copy, and tells what is wrong then.
        if (!(error instanceof HoldfastError)) throw error;
      }
      // A sparse file has one blob of zeros at very many places.
      const isRepeated = pieces[next + PIECE_NUMBERS] === number;
      const isHole = isRepeated && bytes !== undefined && isAllZero(bytes);
      for (; pieces[next] === number; next += PIECE_NUMBERS) {
        if (!bytes) continue;
        run.place(pieces[next + 1] as number, bytes, pieces[next + 2] as number, isHole);
      }
    });
  } finally {
    run.close();
  }
  return run.outcome;
}

class PlacingRun {
  readonly outcome: PlacedOutcome;
  readonly #owner: PlacingJob['owner'];
  readonly #files: ListedFiles;
  readonly #placed: PlacedFiles;
  /** Pieces of each file that are still to come. */
  readonly #left: Uint32Array;
  readonly #failed = new Set<number>();

  constructor({ root, owner, files, pieces }: PlacingJob, blobs: number) {
    this.#owner = owner;
    this.#files = new ListedFiles(files);
    this.#placed = new PlacedFiles(this.#files, root);
    this.#left = new Uint32Array(this.#files.count);
    for (let at = 1; at < pieces.length; at += PIECE_NUMBERS) {
      this.#left[pieces[at] as number] = (this.#left[pieces[at] as number] as number) + 1;
    }
    this.outcome = {
      whole: new Uint8Array(blobs),
      finished: new Uint8Array(this.#files.count),
      failures: [],
      metadataFailures: [],
      writtenBytes: 0,
    };
  }

  /** A failure is the file's own: the others go on. */
  place(file: number, bytes: Buffer, offset: number, isHole: boolean): void {
    if (this.#failed.has(file)) return;
    try {
      if (isHole) this.#placed.leaveHole(file, bytes, offset);
      else this.#placed.write(file, bytes, offset);
      const left = (this.#left[file] as number) - 1;
      this.#left[file] = left;
      if (left === 0) this.#end(file);
    } catch (error) {
      const facts = systemErrorFacts(error);
      if (!facts) throw error;
      this.#failed.add(file);
      this.outcome.failures.push({ file, error: facts });
    }
  }

  close(): void {
    this.outcome.writtenBytes = this.#placed.writtenBytes;
    this.#placed.closeAll();
  }

  #end(file: number): void {
    if (!this.#files.isFinished(file)) {
      this.#placed.close(file);
      return;
    }
    const failures = this.#placed.finish(file, this.#owner);
    if (failures.length > 0) this.outcome.metadataFailures.push({ file, failures });
    this.outcome.finished[file] = 1;
  }
}
