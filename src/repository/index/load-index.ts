/** Index files into the table. */
import { inLanes } from '../in-lanes.ts';
import type { IndexedPack } from '../pack/header.ts';
import type { UnpackedFiles } from '../unpacked-files.ts';
import { BlobIndex } from './blob-index.ts';
import { decodeIndex, encodeIndex } from './index-file.ts';

const LOADS_AT_ONCE = 4;

export class LoadedIndex {
  readonly #files: UnpackedFiles;
  #index = new BlobIndex();
  #loaded = new Set<string>();
  #loading: Promise<void> | undefined;
  #following: Promise<void> | undefined;

  constructor(files: UnpackedFiles) {
    this.#files = files;
  }

  get index(): BlobIndex {
    return this.#index;
  }

  /**
   * Reads what isn't loaded yet, in a pass that begins after the call: whatever was stored before is known then. Calls
   * that come during a pass share the one that follows it. Where a loaded file is gone, somebody has pruned: all is
   * read anew then, into another table.
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
    this.#loading = this.#loadNew().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  drop(): void {
    this.#index = new BlobIndex();
    this.#loaded = new Set();
  }

  /** Durable when it resolves; the packs must be so before. */
  async save(packs: readonly IndexedPack[]): Promise<string> {
    const id = await this.#files.save('index', Buffer.from([...encodeIndex(packs)].join('')));
    this.#loaded.add(id);
    for (const pack of packs) this.index.addPack(pack.id, pack.blobs);
    return id;
  }

  async #loadNew(): Promise<void> {
    // What is saved while the list is read isn't in it, and hasn't gone either.
    const known = [...this.#loaded];
    let ids = await this.#files.list('index');
    const there = new Set(ids);
    if (known.some((id) => !there.has(id))) {
      this.drop();
      ids = await this.#files.list('index');
    }
    const fresh = ids.filter((id) => !this.#loaded.has(id));
    await inLanes(fresh, LOADS_AT_ONCE, (id) => this.#loadFile(id));
  }

  async #loadFile(id: string): Promise<void> {
    await readIndexFile(this.#files, id, (pack, list) => {
      if (list === 'packs') this.index.addPack(pack.id, pack.blobs);
    });
    this.#loaded.add(id);
  }
}

/** Throws `repository/file-damaged` naming the file; what it told before is told already. */
export async function readIndexFile(
  files: UnpackedFiles,
  id: string,
  onPack: Parameters<typeof decodeIndex>[2],
): Promise<void> {
  await decodeIndex(`index/${id}`, files.readInPieces('index', id), onPack);
}
