/** Places in files by the blobs that belong there: what is asked for at once. */
import type { AppliedMetadata } from '#base';
import { ID_BYTES, type PlacingPlan, PlannedFiles, type Repository } from '#repository';
import type { WritableFile } from './open-files.ts';

/** Of a wave: bounds memory at some tens of MB, and lets one file be larger than a wave. */
export const PLACES_PER_WAVE = 8 * 1024;

/** Tens of thousands wait for their content at a time: of their nodes they keep only what they will get. */
export type RestoringFile = WritableFile & {
  relative: string;
  metadata: AppliedMetadata;
  /** What the tree says; the content decides. */
  recordedBytes: bigint;
  sizeBytes: number;
  places: number;
  placesLeft: number;
  /** An older file of that name is there, and is brought up to date. */
  isUpdate: boolean;
  failed: boolean;
  /** It has its size and metadata. */
  finished: boolean;
  damage: string[] | undefined;
  /** The plan that it was put into last, and its number there. */
  plan: StretchPlan | undefined;
  planNumber: number;
};

export type Place = { file: RestoringFile; offset: number; lengthBytes: number };

/** Nearly every blob has one place. */
type PlacesOfBlob = Place & { others: Place[] | undefined };

/** By the numbers in the plan. */
export type StretchPlan = PlacingPlan & {
  restoring: RestoringFile[];
  lengths: number[];
};

type Index = Repository['index'];

export class Wave {
  /** Blobs are told apart by their numbers there: a repository that was pruned meanwhile has another index. */
  readonly index: Index;
  readonly #byEntry = new Map<number, PlacesOfBlob>();
  readonly #ids = Buffer.allocUnsafe(PLACES_PER_WAVE * ID_BYTES);
  readonly #fullBytes: number;
  #bytes = 0;
  places = 0;

  /** `fullBytes`: of content, with which it is full also where it has few places. */
  constructor(index: Index, fullBytes = Number.POSITIVE_INFINITY) {
    this.index = index;
    this.#fullBytes = fullBytes;
  }

  get isFull(): boolean {
    return this.places >= PLACES_PER_WAVE || this.#bytes >= this.#fullBytes;
  }

  /** Of all blobs, one after another. */
  get ids(): Buffer {
    return this.#ids.subarray(0, this.#byEntry.size * ID_BYTES);
  }

  /** `id`: where the blob's id lies. Returns how long the blob is; undefined where the index doesn't know it. */
  add(file: RestoringFile, ids: Buffer, at: number): number | undefined {
    const entry = this.index.entryOf('data', ids, at);
    if (entry < 0) return undefined;
    const lengthBytes = this.index.plainLengthOf(entry);
    const offset = file.sizeBytes;
    const known = this.#byEntry.get(entry);
    if (known) {
      known.others ??= [];
      known.others.push({ file, offset, lengthBytes });
    } else {
      ids.copy(this.#ids, this.#byEntry.size * ID_BYTES, at, at + ID_BYTES);
      this.#byEntry.set(entry, { file, offset, lengthBytes, others: undefined });
    }
    this.places += 1;
    this.#bytes += lengthBytes;
    return lengthBytes;
  }

  placesOf(id: Uint8Array): readonly Place[] {
    const first = this.#find(id);
    return first ? [first, ...(first.others ?? [])] : [];
  }

  /**
   * What becomes of a stretch with these blobs. `addTo`: adds how one file is written to the plan's; `isWhole`: all of
   * it comes here.
   */
  plan(
    root: number | undefined,
    ids: readonly Uint8Array[],
    addTo: (files: PlannedFiles, file: RestoringFile, isWhole: boolean) => void,
  ): StretchPlan {
    const files = new PlannedFiles();
    const plan: StretchPlan = { root, files, pieces: [], restoring: [], lengths: [] };
    const piecesOf: number[] = [];
    for (let blob = 0; blob < ids.length; blob += 1) {
      const first = this.#find(ids[blob] as Uint8Array);
      if (!first) continue;
      addPiece(plan, piecesOf, blob, first);
      if (!first.others) continue;
      for (const other of first.others) addPiece(plan, piecesOf, blob, other);
    }
    for (let number = 0; number < piecesOf.length; number += 1) {
      const file = plan.restoring[number] as RestoringFile;
      addTo(files, file, piecesOf[number] === file.places);
    }
    return plan;
  }

  #find(id: Uint8Array): PlacesOfBlob | undefined {
    return this.#byEntry.get(this.index.entryOf('data', id));
  }
}

function addPiece(
  plan: StretchPlan,
  piecesOf: number[],
  blob: number,
  { file, offset, lengthBytes }: Place,
): void {
  if (file.failed) return;
  if (file.plan !== plan) {
    file.plan = plan;
    file.planNumber = plan.restoring.push(file) - 1;
    piecesOf.push(0);
  }
  piecesOf[file.planNumber] = (piecesOf[file.planNumber] as number) + 1;
  plan.pieces.push(blob, file.planNumber, offset);
  plan.lengths.push(lengthBytes);
}
