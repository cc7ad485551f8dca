/**
 * Writes the contents of files. Files are gathered into waves; of each wave, all blobs are asked for at once, so that
 * each pack is read once and in order, and each blob is put into every place that it belongs to.
 */
import { formatSize, type MetadataFailure } from '#base';
import { ID_BYTES, type TreeNode } from '#repository';
import { isAllZero, partsToWrite } from './holes.ts';
import { OpenFiles, type WritableFile } from './open-files.ts';
import type { RestoreReport } from './report.ts';
import type { RestoreRequest } from './request.ts';

/** Places of a wave: bounds memory at some tens of MB, and lets one file be larger than a wave. */
const PLACES_PER_WAVE = 4 * 1024;
const MAX_BYTES_IN_FLIGHT = 48 * 1024 * 1024;

type RestoringFile = WritableFile & {
  relative: string;
  node: TreeNode;
  sizeBytes: number;
  placesLeft: number;
  failed: boolean;
  damage: string[];
};

type Place = { file: RestoringFile; offset: number; lengthBytes: number };

export type ContentsOptions = Pick<RestoreRequest, 'repository' | 'signal'> & {
  report: RestoreReport;
  /** Gives a complete file its owner, permissions, attributes and times. */
  applyMetadata: (path: Buffer, node: TreeNode) => MetadataFailure[];
  /** A failure of one entry: told (returns) or so grave that everything must stop (throws). */
  entryFailed: (relative: string, error: unknown) => void;
  /** Called between pieces: lets others have their turn, tells progress, rejects when aborted. */
  giveWay: () => Promise<void>;
};

/** What becomes of the contents of files. */
export interface RestoredContents {
  /** The file is made at the latest when `flush` resolves. */
  add(path: Buffer, relative: string, node: TreeNode): Promise<void>;
  /** Resolves when every file added so far is complete. */
  flush(): Promise<void>;
  /** Closes what is open. What wasn't complete stays as it is. */
  close(): void;
}

/** Writes them to disk, all of them. */
export class FileContents implements RestoredContents {
  readonly #options: ContentsOptions;
  readonly #files = new OpenFiles();
  #wave = new Map<string, Place[]>();
  #placesInWave = 0;

  constructor(options: ContentsOptions) {
    this.#options = options;
  }

  async add(path: Buffer, relative: string, node: TreeNode): Promise<void> {
    const ids = node.content ?? Buffer.alloc(0);
    const placesLeft = ids.length / ID_BYTES;
    const file: RestoringFile = {
      path,
      relative,
      node,
      sizeBytes: 0,
      placesLeft,
      created: false,
      failed: false,
      damage: [],
    };
    if (placesLeft === 0) this.#finish(file);
    else await this.#addPlaces(file, ids);
  }

  async flush(): Promise<void> {
    const wave = this.#wave;
    if (wave.size === 0) return;
    this.#wave = new Map();
    this.#placesInWave = 0;
    const ids = Buffer.allocUnsafe(wave.size * ID_BYTES);
    let at = 0;
    for (const id of wave.keys()) at += ids.write(id, at, 'latin1');
    const { repository, signal } = this.#options;
    await repository.readBlobs(
      'data',
      ids,
      (id, bytes) => this.#put(wave.get(id.toString('latin1')) ?? [], bytes),
      {
        ...(signal ? { signal } : {}),
        maxBytesInFlight: MAX_BYTES_IN_FLIGHT,
        onDamaged: (id) => this.#lose(wave.get(id.toString('latin1')) ?? [], id),
      },
    );
  }

  close(): void {
    this.#files.close();
  }

  async #addPlaces(file: RestoringFile, ids: Buffer): Promise<void> {
    const { index } = this.#options.repository;
    for (let at = 0; at < ids.length; at += ID_BYTES) {
      const offset = file.sizeBytes;
      const lengthBytes = index.lookup('data', ids, at)?.plainLength;
      if (lengthBytes === undefined) {
        this.#loseRest(file, offset, (ids.length - at) / ID_BYTES, ids.subarray(at, at + ID_BYTES));
        return;
      }
      // The content decides how large the file is: it may have grown between being looked at and being read.
      file.sizeBytes += lengthBytes;
      this.#addPlace(ids.toString('latin1', at, at + ID_BYTES), { file, offset, lengthBytes });
      if (this.#placesInWave >= PLACES_PER_WAVE) await this.flush();
    }
  }

  #addPlace(id: string, place: Place): void {
    const places = this.#wave.get(id);
    if (places) places.push(place);
    else this.#wave.set(id, [place]);
    this.#placesInWave += 1;
  }

  async #put(places: readonly Place[], bytes: Buffer): Promise<void> {
    const isHole = isAllZero(bytes);
    for (const { file, offset } of places) {
      try {
        if (!isHole && !file.failed) await this.#writeAt(file, offset, bytes);
      } catch (error) {
        file.failed = true;
        this.#options.entryFailed(file.relative, error);
      }
      if (!file.failed) this.#options.report.bytes += bytes.length;
      this.#placeDone(file);
    }
    await this.#options.giveWay();
  }

  async #writeAt(file: RestoringFile, offset: number, bytes: Buffer): Promise<void> {
    for (const { start, end } of partsToWrite(bytes, offset)) {
      await this.#files.write(file, bytes.subarray(start, end), offset + start);
    }
  }

  #lose(places: readonly Place[], id: Buffer): void {
    for (const { file, offset, lengthBytes } of places) {
      file.damage.push(
        `${formatSize(lengthBytes)} at offset ${offset} (blob ${id.toString('hex').slice(0, 12)})`,
      );
      this.#placeDone(file);
    }
  }

  /** A blob that no index knows has no length: where the content behind it belongs can't be told either. */
  #loseRest(file: RestoringFile, offset: number, places: number, id: Buffer): void {
    file.damage.push(
      `everything from offset ${offset} on (blob ${id.toString('hex').slice(0, 12)} is in no index)`,
    );
    file.sizeBytes = Math.max(offset, Number(file.node.sizeBytes));
    file.placesLeft -= places - 1;
    this.#placeDone(file);
  }

  #placeDone(file: RestoringFile): void {
    file.placesLeft -= 1;
    if (file.placesLeft === 0) this.#finish(file);
  }

  #finish(file: RestoringFile): void {
    const { report, applyMetadata, entryFailed } = this.#options;
    const { node, path, relative, damage } = file;
    if (file.failed) {
      this.#files.drop(file);
      return;
    }
    try {
      this.#files.finish(file, file.sizeBytes);
      report.metadataFailures(relative, applyMetadata(path, node));
      report.files += 1;
    } catch (error) {
      entryFailed(relative, error);
    }
    if (damage.length > 0) report.problem(relative, describeDamage(damage));
  }
}

function describeDamage(damage: readonly string[]): string {
  const more = damage.length > 3 ? ` and ${damage.length - 3} more places` : '';
  return `damaged in the repository, zeros stand here instead: ${damage.slice(0, 3).join(', ')}${more}`;
}
