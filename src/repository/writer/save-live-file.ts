/** Files that others write to meanwhile: all workers read parts of them. */
import { Gate } from './gate.ts';
import { IdList } from './id-list.ts';
import { type LivePartResult, systemError } from './messages.ts';
import type { WorkQueue } from './work-queue.ts';
import type { LiveFile, RepositoryWriter, SavedLiveFile } from './writer.ts';

/** Some milliseconds of a worker. */
const PART_BYTES = 8 * 1024 * 1024;

type Steps = Parameters<RepositoryWriter['saveLiveFile']>[1];

export class LiveFiles {
  readonly #queue: WorkQueue;
  readonly #wake: () => void;
  /** Of large files; small ones are parts themselves, and the more of them wait, the more go together. */
  readonly #parts: Gate;

  constructor({ queue, wake, maxParts }: { queue: WorkQueue; wake: () => void; maxParts: number }) {
    this.#queue = queue;
    this.#wake = wake;
    this.#parts = new Gate(maxParts);
  }

  /** Rejects with Node's own system error where the file can't be read. */
  async save(file: LiveFile, steps: Steps): Promise<SavedLiveFile | undefined> {
    const { path, sizeBytes, chunkBytes, check } = file;
    const step = Math.max(chunkBytes, PART_BYTES - (PART_BYTES % chunkBytes));
    const results: Promise<LivePartResult>[] = [];
    let failure: { error: unknown } | undefined;
    for (let offset = 0; offset < sizeBytes; offset += step) {
      const length = Math.min(step, sizeBytes - offset);
      const way = steps.mayGoOn(length);
      if (way) await way;
      const part = { path, offset, length, chunkBytes, ...(check && { check }) };
      const isLarge = length === step;
      if (isLarge) await this.#parts.enter();
      if (failure) throw failure.error;
      const result = this.#queue.addLive(part);
      this.#wake();
      const left = isLarge ? result.finally(() => this.#parts.leave()) : result;
      left.catch((error) => {
        failure ??= { error };
      });
      results.push(left);
    }
    steps.taken();
    return joined(await Promise.all(results), sizeBytes);
  }
}

/** Of a file without one of its parts, which was removed meanwhile, nothing is taken. */
function joined(parts: readonly LivePartResult[], sizeBytes: number): SavedLiveFile | undefined {
  const ids = new IdList();
  const wrong: number[] = [];
  let newBytes = 0;
  let isGone = false;
  for (const part of parts) {
    if (part === 'gone') isGone = true;
    else if ('code' in part) throw systemError(part);
    else {
      ids.push(part.ids);
      newBytes += part.newBytes;
      wrong.push(...part.wrong);
    }
  }
  return isGone ? undefined : { ids: Buffer.from(ids.bytes()), sizeBytes, newBytes, wrong };
}
