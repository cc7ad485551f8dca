/**
 * Writes the contents of files. Files are gathered into waves; of each wave, all blobs are asked for at once, so that
 * each pack is read once and in order, and each blob is put into every place that it belongs to. Worker threads write
 * one wave while the next is gathered; a file whose content comes in one stretch of a pack is also finished there.
 */
import {
  type AppliedMetadata,
  applyMetadataToOpen,
  type ExtendedAttribute,
  formatSize,
} from '#base';
import {
  canFinish,
  ID_BYTES,
  isAllZero,
  PIECE_NUMBERS,
  type Placed,
  type PlannedFiles,
  partsToWrite,
  Rooms,
  type TreeNode,
} from '#repository';
import { OpenFiles } from './open-files.ts';
import type { ContentsOptions, RestoredContents } from './restored-contents.ts';
import { type Place, type RestoringFile, type StretchPlan, Wave } from './wave.ts';

/** Of the first one: threads begin with it while the next is gathered. */
const FIRST_WAVE_BYTES = 24 * 1024 * 1024;
/** While the last stretches of one are written, threads go on with those of the next. */
const WAVES_UNDERWAY = 2;
/** Of each wave: with half as much, threads wait for the storage between large stretches. */
const MAX_BYTES_IN_FLIGHT = 48 * 1024 * 1024;

/** Writes them to disk, all of them. */
export class FileContents implements RestoredContents {
  readonly #options: ContentsOptions;
  readonly #files: OpenFiles;
  readonly #ended = new AbortController();
  readonly #rooms = new Rooms();
  #wave: Wave;
  /** The waves that are being written, the oldest first. */
  readonly #underway: Promise<void>[] = [];

  constructor(options: ContentsOptions) {
    this.#options = options;
    this.#files = new OpenFiles(options.target.descriptor);
    this.#wave = new Wave(options.repository.index, FIRST_WAVE_BYTES);
  }

  add(relative: string, node: TreeNode, isUpdate = false): Promise<void> | undefined {
    const { target } = this.#options;
    const ids = node.content ?? NOTHING;
    const places = ids.length / ID_BYTES;
    const isReached = target.descriptor !== undefined;
    const file: RestoringFile = {
      path: isReached ? relative : target.path(relative).toString('latin1'),
      relative,
      metadata: appliedOf(node),
      recordedBytes: node.sizeBytes,
      sizeBytes: 0,
      places,
      placesLeft: places,
      isUpdate,
      created: isUpdate,
      failed: false,
      finished: false,
      damage: undefined,
      plan: undefined,
      planNumber: 0,
    };
    if (places > 0) return this.#addPlaces(file, ids, 0);
    this.#finish(file);
    return undefined;
  }

  async flush(): Promise<void> {
    await this.#nextWave();
    await this.#atMostUnderway(0);
  }

  async close(): Promise<void> {
    this.#ended.abort();
    // Whoever added or flushed was told, or ended before for another reason.
    await Promise.allSettled(this.#underway);
    this.#files.close();
  }

  /** Begins with what was gathered when there is room for it; rejects where what came before failed. */
  async #nextWave(): Promise<void> {
    await this.#atMostUnderway(WAVES_UNDERWAY - 1);
    const wave = this.#wave;
    this.#wave = new Wave(this.#options.repository.index);
    if (wave.places === 0) return;
    const underway = this.#placeWave(wave);
    // It is told to whoever waits for it.
    underway.catch(() => {});
    this.#underway.push(underway);
  }

  async #atMostUnderway(waves: number): Promise<void> {
    while (this.#underway.length > waves) await this.#underway.shift();
  }

  async #placeWave(wave: Wave): Promise<void> {
    const { repository, signal, owner, target } = this.#options;
    const addTo = (files: PlannedFiles, file: RestoringFile, isWhole: boolean) =>
      this.#addTo(files, file, isWhole);
    await repository.placeBlobs(
      wave.ids,
      {
        owner,
        plan: (ids) => wave.plan(target.descriptor, ids, addTo),
        onPlaced: (plan, placed) => this.#placed(plan as StretchPlan, placed),
        onAlone: (id, bytes) => this.#put(wave.placesOf(id), bytes),
      },
      {
        signal: AbortSignal.any([this.#ended.signal, ...(signal ? [signal] : [])]),
        maxBytesInFlight: MAX_BYTES_IN_FLIGHT,
        rooms: this.#rooms,
        onDamaged: (id) => this.#lose(wave.placesOf(id), id),
      },
    );
  }

  #addPlaces(file: RestoringFile, ids: Buffer, from: number): Promise<void> | undefined {
    for (let at = from; at < ids.length; at += ID_BYTES) {
      const isStale = this.#wave.index !== this.#options.repository.index;
      if (isStale || this.#wave.isFull) {
        return this.#nextWave().then(() => this.#addPlaces(file, ids, at));
      }
      const lengthBytes = this.#wave.add(file, ids, at);
      if (lengthBytes === undefined) {
        this.#loseRest(
          file,
          file.sizeBytes,
          (ids.length - at) / ID_BYTES,
          ids.subarray(at, at + ID_BYTES),
        );
        return undefined;
      }
      // The content decides how large the file is: it may have grown between being looked at and being read.
      file.sizeBytes += lengthBytes;
    }
    return undefined;
  }

  /** Adds how one stretch is to write the file. `isWhole`: all of it comes there. */
  #addTo(files: PlannedFiles, file: RestoringFile, isWhole: boolean): void {
    const { path, metadata, sizeBytes, isUpdate } = file;
    const how = isUpdate ? 'update' : isWhole && !file.created ? 'create' : 'write';
    if (isWhole && how !== 'write' && !file.damage && canFinish(metadata)) {
      files.add(path, how, { sizeBytes, metadata });
      return;
    }
    files.add(path, how);
    if (how === 'create' || file.created) return;
    try {
      // Other stretches may write it at the same time: it must be there before.
      this.#files.create(file);
    } catch (error) {
      file.failed = true;
      this.#options.entryFailed(file.relative, error);
    }
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
    const { pieces, lengths } = plan;
    for (let piece = 0, at = 0; piece < lengths.length; piece += 1, at += PIECE_NUMBERS) {
      if (!placed.whole[pieces[at] as number]) continue;
      const file = pieces[at + 1] as number;
      const restoring = plan.restoring[file] as RestoringFile;
      restoring.created = true;
      restoring.finished = placed.finished[file] === 1;
      this.#placeDone(restoring, lengths[piece] as number);
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
      file.damage ??= [];
      file.damage.push(
        `${formatSize(lengthBytes)} at offset ${offset} (blob ${id.toString('hex').slice(0, 12)})`,
      );
      this.#placeDone(file, 0);
    }
  }

  /** A blob that no index knows has no length: where the content behind it belongs can't be told either. */
  #loseRest(file: RestoringFile, offset: number, places: number, id: Buffer): void {
    file.damage ??= [];
    file.damage.push(
      `everything from offset ${offset} on (blob ${id.toString('hex').slice(0, 12)} is in no index)`,
    );
    file.sizeBytes = Math.max(offset, Number(file.recordedBytes));
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
    const { metadata, relative, damage } = file;
    if (file.failed) {
      this.#files.drop(file);
      return;
    }
    try {
      if (!file.finished) {
        const failures = this.#files.finish(file, file.sizeBytes, (descriptor) =>
          applyMetadataToOpen(descriptor, metadata, { owner, inodeFlags }),
        );
        report.metadataFailures(relative, failures);
      }
      report.files += 1;
    } catch (error) {
      entryFailed(relative, error);
    }
    if (damage) report.problem(relative, describeDamage(damage, file.isUpdate));
  }
}

const NOTHING = Buffer.alloc(0);
const NO_ATTRIBUTES: ExtendedAttribute[] = [];

function appliedOf(node: TreeNode): AppliedMetadata {
  const { kind, permissions, uid, gid, atimeNs, mtimeNs } = node;
  const xattrs = node.xattrs.length === 0 ? NO_ATTRIBUTES : node.xattrs;
  return { kind, permissions, uid, gid, atimeNs, mtimeNs, xattrs };
}

function describeDamage(damage: readonly string[], isUpdate: boolean): string {
  const more = damage.length > 3 ? ` and ${damage.length - 3} more places` : '';
  const instead = isUpdate ? 'what was there before still stands' : 'zeros stand here instead';
  return `damaged in the repository, ${instead}: ${damage.slice(0, 3).join(', ')}${more}`;
}
