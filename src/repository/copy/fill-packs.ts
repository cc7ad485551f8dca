/** Blobs that come compressed already, into packs of a repository. */
import { randomBytes } from '#base';
import { SEAL_OVERHEAD_BYTES, Sealer } from '../crypto/sealer.ts';
import type { BlobType } from '../names.ts';
import type { Repository } from '../repository.ts';
import { OpenPack } from '../writer/open-pack.ts';
import { giveBackPack, takePiece } from '../writer/pack-memory.ts';
import { PackStore } from '../writer/pack-store.ts';

export type PackedPayload = {
  id: Buffer;
  payload: Buffer;
  compressed: boolean;
  plainLength: number;
};

const PACK_BYTES = 16 * 1024 * 1024;
/** Blobs go into one of so many by chance, so that a pack doesn't tell of the file that its blobs are from. */
const OPEN_PACKS = 2;
/** Each is a pack in memory. */
const PACKS_IN_FLIGHT = 4;

export class PackFiller {
  readonly #sealer: Sealer;
  readonly #store: PackStore;
  readonly #open: Record<BlobType, (OpenPack | undefined)[]> = { data: [], tree: [] };
  #inFlight = 0;
  #waiting: (() => void)[] = [];
  #failure: { error: unknown } | undefined;

  constructor(repository: Repository) {
    this.#sealer = new Sealer(repository.masterKey);
    this.#store = new PackStore(repository, (error) => {
      this.#failure ??= { error };
      this.#wakeAll();
    });
  }

  get storedBytes(): number {
    return this.#store.stats.storedBytes;
  }

  /** The bytes may be used again when it resolves. Rejects with the first failure of any pack. */
  async add(type: BlobType, blob: PackedPayload): Promise<void> {
    const place = (randomBytes(1)[0] as number) % OPEN_PACKS;
    const open = this.#open[type];
    for (let pack = open[place]; pack && !pack.fits(blob.payload.length); pack = open[place]) {
      // Taken away at once: others add meanwhile.
      open[place] = undefined;
      await this.#finishPack(pack);
    }
    const sealedBytes = blob.payload.length + SEAL_OVERHEAD_BYTES;
    // A blob that is larger than a pack gets one of its own.
    const pack = open[place] ?? new OpenPack(type, Math.max(PACK_BYTES, sealedBytes), takePiece);
    open[place] = pack;
    pack.add(this.#sealer, blob);
  }

  /** Resolves when everything given so far is durable and indexed. More may be given after. */
  async flush(): Promise<void> {
    for (const type of ['data', 'tree'] as const) {
      const packs = this.#open[type];
      this.#open[type] = [];
      for (const pack of packs) if (pack) await this.#finishPack(pack);
    }
    await this.#store.finish();
    if (this.#failure) throw this.#failure.error;
  }

  /** Resolves when no write is under way any more, whatever became of them. */
  settled(): Promise<void> {
    return this.#store.settled();
  }

  async #finishPack(pack: OpenPack): Promise<void> {
    while (this.#inFlight >= PACKS_IN_FLIGHT && !this.#failure) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#failure) throw this.#failure.error;
    const { id, parts, header } = pack.finish(this.#sealer);
    this.#inFlight += 1;
    this.#store.store({ id, parts, header }, () => {
      giveBackPack(parts);
      this.#inFlight -= 1;
      this.#wakeAll();
    });
  }

  #wakeAll(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
