import { HoldfastError } from '#base';
import type { Sealer } from '../crypto/sealer.ts';
import type { Decompressor } from '../crypto/zstd-context.ts';
import { systemErrorFacts } from '../writer/messages.ts';
import { blobsOf } from './decode-job.ts';
import { isAllZero } from './holes.ts';
import { openBlob } from './open-blob.ts';
import { PlacedFiles } from './placed-files.ts';
import { type PlacedOutcome, type PlacingJob, planOf } from './placing-job.ts';

/** Throws only what no entry is to blame for. */
export function runPlacingJob(
  sealer: Sealer,
  decompressor: Decompressor,
  job: PlacingJob,
): PlacedOutcome {
  const { root, files, pieces } = planOf(job);
  const blobs = blobsOf(job.stretch);
  const sealed = new Uint8Array(job.stretch.sealed);
  const outcome: PlacedOutcome = {
    whole: new Uint8Array(blobs.length),
    finished: new Uint8Array(files.length),
    failures: [],
    metadataFailures: [],
    writtenBytes: 0,
  };
  const left = new Uint32Array(files.length);
  for (const { file } of pieces) left[file] = (left[file] ?? 0) + 1;
  const failed = new Set<number>();
  const placed = new PlacedFiles(files, root);
  const attempt = (file: number, work: () => void) => {
    try {
      if (!failed.has(file)) work();
    } catch (error) {
      const facts = systemErrorFacts(error);
      if (!facts) throw error;
      failed.add(file);
      outcome.failures.push({ file, error: facts });
    }
  };
  const placeOne = (file: number, bytes: Buffer, offset: number, isHole: boolean) => {
    if (isHole) placed.leaveHole(file, bytes, offset);
    else placed.write(file, bytes, offset);
    left[file] = (left[file] as number) - 1;
    if (left[file] !== 0) return;
    if (files[file]?.finish) {
      const failures = placed.finish(file, job.owner);
      if (failures.length > 0) outcome.metadataFailures.push({ file, failures });
      outcome.finished[file] = 1;
    } else placed.close(file);
  };
  try {
    let next = 0;
    for (const [number, blob] of blobs.entries()) {
      const own = sealed.subarray(blob.offset, blob.offset + blob.length);
      const bytes = openOrNot(() => openBlob(sealer, blob, job.stretch.packId, own, decompressor));
      if (bytes) outcome.whole[number] = 1;
      // A sparse file has one blob of zeros at very many places.
      const isRepeated = pieces[next + 1]?.blob === number;
      const isHole = isRepeated && bytes !== undefined && isAllZero(bytes);
      for (; pieces[next]?.blob === number; next += 1) {
        const { file, offset } = pieces[next] as { file: number; offset: number };
        if (bytes) attempt(file, () => placeOne(file, bytes, offset, isHole));
      }
    }
  } finally {
    placed.closeAll();
  }
  return { ...outcome, writtenBytes: placed.writtenBytes };
}

/** Undefined for a damaged one: whoever planned reads it again, from every copy, and tells what is wrong then. */
function openOrNot(open: () => Buffer): Buffer | undefined {
  try {
    return open();
  } catch (error) {
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}
