/** Index files into the table. */
import { isHoldfastError } from '#base';
import { inLanes } from '../in-lanes.ts';
import type { IndexedPack } from '../pack/header.ts';
import type { UnpackedFiles } from '../unpacked-files.ts';
import { BlobIndex } from './blob-index.ts';
import { type IndexEntries, type PackList, packsOf } from './index-entries.ts';
import { decodeIndex, encodeIndex } from './index-file.ts';
import { IndexFileNumbers } from './index-file-numbers.ts';

const LOADS_AT_ONCE = 4;
const MAX_PASSES = 5;

/** Opens a stored index file, which it takes over. Undefined where it is none: to be told why, it is read again. */
export type OpenIndex = (fileName: string, stored: Buffer) => Promise<IndexEntries | undefined>;

/** Where an index is kept between sessions, so that few of its files must be read again. May lose it at any time. */
export interface IndexKeeper {
  /** What was kept last, of index files some of which may be gone meanwhile. */
  recall(): Promise<KeptIndex | undefined>;
  /** Told after each load; decides for itself whether it is worth it. */
  keep(kept: KeptIndex, parsedBlobs: number): void;
}

export type KeptIndex = { index: BlobIndex; ids: ReadonlyMap<number, string> };

type Loading = { index: BlobIndex; files: IndexFileNumbers };

export class LoadedIndex {
  readonly #files: UnpackedFiles;
  readonly #openIndex: OpenIndex | undefined;
  readonly #keeper: IndexKeeper | undefined;
  #now: Loading = { index: new BlobIndex(), files: new IndexFileNumbers() };
  /** Made beside, where somebody has pruned; what is saved meanwhile goes into both. */
  #next: Loading | undefined;
  #loading: Promise<void> | undefined;
  #following: Promise<void> | undefined;
  #justRead: ReadonlySet<string> = new Set();

  constructor(files: UnpackedFiles, openIndex?: OpenIndex, keeper?: IndexKeeper) {
    this.#files = files;
    this.#openIndex = openIndex;
    this.#keeper = keeper;
  }

  get index(): BlobIndex {
    return this.#now.index;
  }

  /** Ids of the index files that `index` was made of. */
  get loadedIds(): ReadonlySet<string> {
    return new Set(this.#now.files.ids());
  }

  /** Ids of the files that the last pass read and found whole; none where it failed. */
  get justReadIds(): ReadonlySet<string> {
    return this.#justRead;
  }

  /**
   * Reads what isn't loaded yet, in a pass that begins after the call: whatever was stored before is known then. Calls
   * that come during a pass share the one that follows it. Where a loaded file is gone, somebody has pruned: another
   * table is made then, of what is left and what is new, and takes the place of this one when it is whole.
   */
  load(): Promise<void> {
    if (!this.#loading) return this.#begin();
    this.#following ??= this.#loading
      .catch(() => {
        // Told to those who wait for that pass.
      })
      .then(() => {
        this.#following = undefined;
        return this.#begin();
      });
    return this.#following;
  }

  #begin(): Promise<void> {
    this.#loading = this.#loadSettled().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  drop(): void {
    this.#next = undefined;
    this.#justRead = new Set();
    this.#now = { index: new BlobIndex(), files: new IndexFileNumbers() };
  }

  /** Durable when it resolves; the packs must be so before. */
  async save(packs: readonly IndexedPack[]): Promise<string> {
    // Piece by piece: one text of all of it would be in memory three times.
    const pieces: Buffer[] = [];
    for (const text of encodeIndex(packs)) pieces.push(Buffer.from(text));
    const id = await this.#files.save('index', Buffer.concat(pieces));
    for (const { index, files } of this.#next ? [this.#now, this.#next] : [this.#now]) {
      const number = files.add(id);
      for (const pack of packs) index.addPack(pack.id, pack.blobs, number);
    }
    return id;
  }

  /** A listed file that is gone when it is read: somebody prunes at this moment, and what replaces it is listed now. */
  async #loadSettled(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#loadNew();
      } catch (error) {
        const isGone = isHoldfastError(error, 'repository/not-in-storage');
        if (!isGone || attempt === MAX_PASSES) throw error;
      }
    }
  }

  async #loadNew(): Promise<void> {
    // What is saved while the list is read isn't in it, and hasn't gone either.
    const known = [...this.#now.files.ids()];
    this.#justRead = new Set();
    let ids = await this.#files.list('index');
    const there = new Set(ids);
    if (known.some((id) => !there.has(id))) {
      this.#next = withoutGone(this.#now, there);
      ids = await this.#files.list('index');
    } else if (known.length === 0) this.#next = await this.#recall(there);
    try {
      const { fresh, blobs } = await this.#readInto(this.#next ?? this.#now, ids);
      if (this.#next) this.#now = this.#next;
      this.#justRead = new Set(fresh);
      const { index, files } = this.#now;
      this.#keeper?.keep({ index, ids: files.byNumber() }, blobs);
    } finally {
      this.#next = undefined;
    }
  }

  async #recall(there: ReadonlySet<string>): Promise<Loading | undefined> {
    const kept = await this.#keeper?.recall();
    if (!kept) return undefined;
    const loading = { index: kept.index, files: new IndexFileNumbers(kept.ids) };
    const isCurrent = [...kept.ids.values()].every((id) => there.has(id));
    return isCurrent ? loading : withoutGone(loading, there);
  }

  /** Resolves to the files that were read, and the number of blobs in them. */
  async #readInto(
    { index, files }: Loading,
    ids: readonly string[],
  ): Promise<{ fresh: string[]; blobs: number }> {
    const before = index.blobCount;
    const fresh = ids.filter((id) => !files.has(id));
    await inLanes(fresh, LOADS_AT_ONCE, async (id) => {
      const entries = await this.readFile(id);
      if (!files.has(id)) index.addEntries(entries, files.add(id));
    });
    return { fresh, blobs: index.blobCount - before };
  }

  /** Throws `repository/file-damaged` naming the file, and `repository/not-in-storage`. */
  async readFile(id: string): Promise<IndexEntries> {
    if (this.#openIndex) {
      const stored = await this.#files.readStored('index', id);
      const entries = await this.#openIndex(`index/${id}`, stored);
      if (entries) return entries;
    }
    return readIndexEntries(this.#files, id);
  }
}

/** Of what is left; nothing of it where files can't be told apart any more. */
function withoutGone(loaded: Loading, there: ReadonlySet<string>): Loading {
  const left = new Map([...loaded.files.byNumber()].filter(([, id]) => there.has(id)));
  const index = loaded.index.onlyOf(new Set(left.keys()));
  return index
    ? { index, files: new IndexFileNumbers(left) }
    : { index: new BlobIndex(), files: new IndexFileNumbers() };
}

/** Throws `repository/file-damaged` naming the file, and `repository/not-in-storage`. */
export async function readIndexEntries(files: UnpackedFiles, id: string): Promise<IndexEntries> {
  return decodeIndex(`index/${id}`, files.readInPieces('index', id));
}

/** The same, pack by pack. */
export async function readIndexFile(
  files: UnpackedFiles,
  id: string,
  onPack: (pack: IndexedPack, list: PackList) => void,
): Promise<void> {
  for (const { pack, list } of packsOf(await readIndexEntries(files, id))) onPack(pack, list);
}
