import { systemClock } from '#base';
import { Sealer } from '../crypto/sealer.ts';
import { type BlobType, packName } from '../names.ts';
import { decodePackHeader, type PackedBlob } from '../pack/header.ts';
import { packIdOf } from '../pack/id.ts';
import { sealPackTail } from '../pack/tail.ts';
import type { Repository } from '../repository.ts';
import type { UnfinishedPack } from './messages.ts';
import { giveBackPack } from './pack-memory.ts';
import type { WriterStats } from './writer.ts';

/** As restic: so many blobs an index file, or so long until those that are stored can be found by others. */
const BLOBS_PER_INDEX = 50_000;
const INDEX_AGE_MS = 10 * 60_000;

/**
 * Stores finished packs and then tells of them in index files, never the other way round. What is stored but in no index
 * after a crash is an unused file and nothing worse.
 */
export class PackStore {
  readonly #repository: Repository;
  readonly #onFailure: (error: unknown) => void;
  readonly #writes = new Set<Promise<void>>();
  /** With their plain headers: a tenth of the memory that their blobs take as objects. */
  #unindexed: { id: string; header: Uint8Array }[] = [];
  #unindexedBlobs = 0;
  #oldestUnindexedMs = 0;
  /** Index files are saved one after another. */
  #saving: Promise<void> = Promise.resolve();
  readonly #stats: WriterStats = {
    dataBlobs: 0,
    treeBlobs: 0,
    newBytes: 0,
    storedBytes: 0,
    packs: 0,
  };

  constructor(repository: Repository, onFailure: (error: unknown) => void) {
    this.#repository = repository;
    this.#onFailure = onFailure;
  }

  get stats(): WriterStats {
    return { ...this.#stats };
  }

  /** Begins to store it; `onStored` is called when that succeeded. `parts` follow one another. */
  store(
    pack: { id: string; parts: readonly Uint8Array[]; header: Uint8Array },
    onStored: () => void = () => {},
  ): void {
    const write = this.#write(pack).then(onStored, this.#onFailure);
    this.#writes.add(write);
    void write.finally(() => this.#writes.delete(write));
  }

  /** Joins packs that didn't get full and stores them, trees and data apart. */
  storeUnfinished(packs: readonly UnfinishedPack[], packSizeBytes: number): void {
    const sealer = new Sealer(this.#repository.masterKey);
    for (const group of joinable(packs, packSizeBytes)) {
      const header = Buffer.concat(group.map((pack) => pack.header));
      const parts = [...group.flatMap((pack) => pack.parts), sealPackTail(header, sealer)];
      // All but the tail, which has memory of its own.
      this.store({ id: packIdOf(parts), parts, header }, () => {
        for (const pack of group) giveBackPack(pack.parts);
      });
    }
  }

  /** Resolves when no write is under way, whether they succeeded or not. */
  async settled(): Promise<void> {
    await Promise.all(this.#writes);
    await this.#saving.catch(() => {});
  }

  /** Resolves when every pack is stored and indexed. */
  async finish(): Promise<void> {
    await Promise.all(this.#writes);
    this.#saveIndex();
    await this.#saving;
  }

  async #write(pack: {
    id: string;
    parts: readonly Uint8Array[];
    header: Uint8Array;
  }): Promise<void> {
    const blobs = decodePackHeader(pack.header, pack.id);
    await this.#repository.storage.write(packName(pack.id), pack.parts, { blobs: blobs[0]?.type });
    await this.#repository.parity.packStored(pack.id, pack.parts);
    this.#count(pack.parts, blobs);
    if (this.#unindexedBlobs + blobs.length > BLOBS_PER_INDEX) this.#saveIndex();
    if (this.#unindexedBlobs === 0) this.#oldestUnindexedMs = systemClock.monotonicMs();
    this.#unindexed.push({ id: pack.id, header: pack.header });
    this.#unindexedBlobs += blobs.length;
    const ageMs = systemClock.monotonicMs() - this.#oldestUnindexedMs;
    if (this.#unindexedBlobs >= BLOBS_PER_INDEX || ageMs >= INDEX_AGE_MS) this.#saveIndex();
  }

  #saveIndex(): void {
    if (this.#unindexed.length === 0) return;
    const packs = this.#unindexed;
    this.#unindexed = [];
    this.#unindexedBlobs = 0;
    this.#saving = this.#saving.then(async () => {
      const indexed = packs.map(({ id, header }) => ({ id, blobs: decodePackHeader(header, id) }));
      await this.#repository.saveIndex(indexed);
    });
    this.#saving.catch(this.#onFailure);
  }

  #count(parts: readonly Uint8Array[], blobs: readonly PackedBlob[]): void {
    this.#stats.packs += 1;
    for (const part of parts) this.#stats.storedBytes += part.length;
    for (const { type, plainLength } of blobs) {
      if (type === 'tree') this.#stats.treeBlobs += 1;
      else this.#stats.dataBlobs += 1;
      this.#stats.newBytes += plainLength;
    }
  }
}

/** Groups of one type, none larger than a pack where that can be. */
function joinable(packs: readonly UnfinishedPack[], packSizeBytes: number): UnfinishedPack[][] {
  const groups: { type: BlobType; bytes: number; packs: UnfinishedPack[] }[] = [];
  for (const pack of packs) {
    const length = pack.parts.reduce((sum, part) => sum + part.length, 0);
    const group = groups.find(
      ({ type, bytes }) => type === pack.type && bytes + length <= packSizeBytes,
    );
    if (group) {
      group.packs.push(pack);
      group.bytes += length;
    } else groups.push({ type: pack.type, bytes: length, packs: [pack] });
  }
  return groups.map((group) => group.packs);
}
