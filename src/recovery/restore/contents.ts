/**
 * Writes the contents of files. Files are gathered into waves; of each wave, all blobs are asked for at once, so that
 * each pack is read once and in order, and each blob is put into every place that it belongs to. Worker threads write
 * one wave while the next is gathered; a file whose content comes in one stretch of a pack is also finished there.
 */
import { type ApplyOptions, applyMetadataToOpen, formatSize, type MetadataFailure } from '#base';
import {
  canFinish,
  ID_BYTES,
  isAllZero,
  type Placed,
  type PlacedFile,
  partsToWrite,
  type TreeNode,
} from '#repository';
import { OpenFiles } from './open-files.ts';
import type { RestoreReport } from './report.ts';
import type { RestoreRequest } from './request.ts';
import type { TargetFolder } from './target-folder.ts';
import { type Place, type RestoringFile, type StretchPlan, Wave } from './wave.ts';

const MAX_BYTES_IN_FLIGHT = 48 * 1024 * 1024;

export type ContentsOptions = Pick<RestoreRequest, 'repository' | 'signal' | 'inodeFlags'> & {
  report: RestoreReport;
  target: TargetFolder;
  owner: ApplyOptions['owner'];
  /** Gives a complete file its owner, permissions, attributes and times. */
  applyMetadata: (path: Buffer, node: TreeNode) => MetadataFailure[];
  /** A failure of one entry: told (returns) or so grave that everything must stop (throws). */
  entryFailed: (relative: string, error: unknown) => void;
  /** Called between pieces: lets others have their turn, tells progress, rejects when aborted. */
  giveWay: () => Promise<void>;
};

/** What becomes of the contents of files. */
export interface RestoredContents {
  /** The file is made at the latest when `flush` resolves. `isUpdate`: an older one is there, to be brought up to date. */
  add(path: Buffer, relative: string, node: TreeNode, isUpdate?: boolean): Promise<void>;
  /** Resolves when every file added so far is complete. */
  flush(): Promise<void>;
  /** Resolves when nothing is under way or open any more. What wasn't complete stays as it is. */
  close(): Promise<void>;
}

/** Writes them to disk, all of them. */
export class FileContents implements RestoredContents {
  readonly #options: ContentsOptions;
  readonly #files: OpenFiles;
  readonly #ended = new AbortController();
  #wave: Wave;
  /** The wave that is being written. */
  #underway: Promise<void> = Promise.resolve();

  constructor(options: ContentsOptions) {
    this.#options = options;
    this.#files = new OpenFiles(options.target.descriptor);
    this.#wave = new Wave(options.repository.index);
  }

  async add(path: Buffer, relative: string, node: TreeNode, isUpdate = false): Promise<void> {
    const ids = node.content ?? Buffer.alloc(0);
    const places = ids.length / ID_BYTES;
    const isReached = this.#options.target.descriptor !== undefined;
    const file: RestoringFile = {
      path: isReached ? Buffer.from(relative, 'latin1') : path,
      relative,
      node,
      sizeBytes: 0,
      places,
      placesLeft: places,
      isUpdate,
      created: isUpdate,
      failed: false,
      finished: false,
      damage: [],
      planNumber: 0,
    };
    if (places === 0) this.#finish(file);
    else await this.#addPlaces(file, ids);
  }

  async flush(): Promise<void> {
    await this.#nextWave();
    await this.#underway;
  }

  async close(): Promise<void> {
    this.#ended.abort();
    // Whoever added or flushed was told, or ended before for another reason.
    await this.#underway.catch(() => {});
    this.#files.close();
  }

  /** Begins with what was gathered when what came before is written; rejects where that failed. */
  async #nextWave(): Promise<void> {
    await this.#underway;
    const wave = this.#wave;
    this.#wave = new Wave(this.#options.repository.index);
    if (wave.places === 0) return;
    this.#underway = this.#placeWave(wave);
    // It is told to whoever waits for it next.
    this.#underway.catch(() => {});
  }

  async #placeWave(wave: Wave): Promise<void> {
    const { repository, signal, owner, target } = this.#options;
    const slotFor = (file: RestoringFile, isWhole: boolean) => this.#slotFor(file, isWhole);
    await repository.placeBlobs(
      wave.ids,
      {
        owner,
        plan: (ids) => wave.plan(target.descriptor, ids, slotFor),
        onPlaced: (plan, placed) => this.#placed(plan as StretchPlan, placed),
        onAlone: (id, bytes) => this.#put(wave.placesOf(id), bytes),
      },
      {
        signal: AbortSignal.any([this.#ended.signal, ...(signal ? [signal] : [])]),
        maxBytesInFlight: MAX_BYTES_IN_FLIGHT,
        onDamaged: (id) => this.#lose(wave.placesOf(id), id),
      },
    );
  }

  async #addPlaces(file: RestoringFile, ids: Buffer): Promise<void> {
    for (let at = 0; at < ids.length; at += ID_BYTES) {
      const isStale = this.#wave.index !== this.#options.repository.index;
      if (isStale || this.#wave.isFull) await this.#nextWave();
      const lengthBytes = this.#wave.add(file, ids, at);
      if (lengthBytes === undefined) {
        this.#loseRest(
          file,
          file.sizeBytes,
          (ids.length - at) / ID_BYTES,
          ids.subarray(at, at + ID_BYTES),
        );
        return;
      }
      // The content decides how large the file is: it may have grown between being looked at and being read.
      file.sizeBytes += lengthBytes;
    }
  }

  /** How one stretch is to write the file. `isWhole`: all of it comes there. */
  #slotFor(file: RestoringFile, isWhole: boolean): PlacedFile {
    const { path, node, sizeBytes, isUpdate } = file;
    const how = isUpdate ? 'update' : isWhole && !file.created ? 'create' : 'write';
    if (isWhole && how !== 'write' && file.damage.length === 0 && canFinish(node)) {
      return { path, how, finish: { sizeBytes, metadata: node } };
    }
    if (how === 'create' || file.created) return { path, how };
    try {
      // Other stretches may write it at the same time: it must be there before.
      this.#files.create(file);
    } catch (error) {
      file.failed = true;
      this.#options.entryFailed(file.relative, error);
    }
    return { path, how };
  }

  async #placed(plan: StretchPlan, placed: Placed): Promise<void> {
    const { report, entryFailed } = this.#options;
    for (const { file, error } of placed.failures) {
      const failing = plan.restoring[file] as RestoringFile;
      if (!failing.failed) entryFailed(failing.relative, error);
      failing.failed = true;
    }
    for (const { file, failures } of placed.metadataFailures) {
      report.metadataFailures((plan.restoring[file] as RestoringFile).relative, failures);
    }
    report.writtenBytes += placed.writtenBytes;
    for (const { blob, file, lengthBytes } of plan.pieces) {
      if (!placed.whole[blob]) continue;
      const restoring = plan.restoring[file] as RestoringFile;
      restoring.created = true;
      restoring.finished = placed.finished[file] === 1;
      this.#placeDone(restoring, lengthBytes);
    }
    await this.#options.giveWay();
  }

  async #put(places: readonly Place[], bytes: Buffer): Promise<void> {
    const isHole = isAllZero(bytes);
    for (const { file, offset } of places) {
      try {
        if (!file.failed && (file.isUpdate || !isHole)) await this.#writeAt(file, offset, bytes);
      } catch (error) {
        file.failed = true;
        this.#options.entryFailed(file.relative, error);
      }
      this.#placeDone(file, bytes.length);
    }
    await this.#options.giveWay();
  }

  async #writeAt(file: RestoringFile, offset: number, bytes: Buffer): Promise<void> {
    const whole = [{ start: 0, end: bytes.length }];
    for (const { start, end } of file.isUpdate ? whole : partsToWrite(bytes, offset)) {
      await this.#files.write(file, bytes.subarray(start, end), offset + start);
      this.#options.report.writtenBytes += end - start;
    }
  }

  #lose(places: readonly Place[], id: Buffer): void {
    for (const { file, offset, lengthBytes } of places) {
      file.damage.push(
        `${formatSize(lengthBytes)} at offset ${offset} (blob ${id.toString('hex').slice(0, 12)})`,
      );
      this.#placeDone(file, 0);
    }
  }

  /** A blob that no index knows has no length: where the content behind it belongs can't be told either. */
  #loseRest(file: RestoringFile, offset: number, places: number, id: Buffer): void {
    file.damage.push(
      `everything from offset ${offset} on (blob ${id.toString('hex').slice(0, 12)} is in no index)`,
    );
    file.sizeBytes = Math.max(offset, Number(file.node.sizeBytes));
    file.placesLeft -= places - 1;
    this.#placeDone(file, 0);
  }

  #placeDone(file: RestoringFile, bytes: number): void {
    if (!file.failed) this.#options.report.bytes += bytes;
    file.placesLeft -= 1;
    if (file.placesLeft === 0) this.#finish(file);
  }

  #finish(file: RestoringFile): void {
    const { report, owner, inodeFlags = false, entryFailed } = this.#options;
    const { node, relative, damage } = file;
    if (file.failed) {
      this.#files.drop(file);
      return;
    }
    try {
      if (!file.finished) {
        const failures = this.#files.finish(file, file.sizeBytes, (descriptor) =>
          applyMetadataToOpen(descriptor, node, { owner, inodeFlags }),
        );
        report.metadataFailures(relative, failures);
      }
      report.files += 1;
    } catch (error) {
      entryFailed(relative, error);
    }
    if (damage.length > 0) report.problem(relative, describeDamage(damage, file.isUpdate));
  }
}

function describeDamage(damage: readonly string[], isUpdate: boolean): string {
  const more = damage.length > 3 ? ` and ${damage.length - 3} more places` : '';
  const instead = isUpdate ? 'what was there before still stands' : 'zeros stand here instead';
  return `damaged in the repository, ${instead}: ${damage.slice(0, 3).join(', ')}${more}`;
}
