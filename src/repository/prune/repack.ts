/** Moves needed blobs into new packs. Sealed bytes are verified and then copied as they are: their seal knows no place. */
import { hash } from 'node:crypto';
import { openBlob } from '../blobs/open-blob.ts';
import { Sealer } from '../crypto/sealer.ts';
import { type BlobType, packName } from '../names.ts';
import { encodePackHeader, type IndexedPack, type PackedBlob } from '../pack/header.ts';
import { sealPackTail } from '../pack/tail.ts';
import type { Repository } from '../repository.ts';
import type { PackToRepack } from './prune-plan.ts';

const TARGET_PACK_BYTES = 16 * 1024 * 1024;
/** Neighbours with a smaller gap are read at once. */
const MAX_GAP_BYTES = 256 * 1024;

/**
 * Resolves to the new packs, all durable; no index tells of them yet. Throws `repository/blob-damaged` at the first blob
 * that isn't whole: nothing was removed by then.
 */
export async function repack(
  repository: Repository,
  packs: readonly PackToRepack[],
  signal: AbortSignal,
  onPack: (packId: string) => void,
): Promise<IndexedPack[]> {
  const sealer = new Sealer(repository.masterKey);
  const assembly = new Assembly(repository, sealer);
  for (const { packId, keep } of packs) {
    signal.throwIfAborted();
    for (const run of runsOf(keep)) {
      const first = run[0] as PackedBlob;
      const last = run.at(-1) as PackedBlob;
      const length = last.offset + last.length - first.offset;
      const bytes = await repository.storage.read(packName(packId), {
        offset: first.offset,
        length,
      });
      for (const blob of run) {
        const at = blob.offset - first.offset;
        const sealed = bytes.subarray(at, at + blob.length);
        openBlob(sealer, blob, packId, sealed);
        await assembly.add(blob, sealed);
      }
    }
    onPack(packId);
  }
  await assembly.finish();
  return assembly.packs;
}

function runsOf(blobs: readonly PackedBlob[]): PackedBlob[][] {
  const runs: PackedBlob[][] = [];
  let end = 0;
  for (const blob of [...blobs].sort((a, b) => a.offset - b.offset)) {
    const run = runs.at(-1);
    const first = run?.[0];
    const joins =
      first &&
      blob.offset - end <= MAX_GAP_BYTES &&
      blob.offset + blob.length - first.offset <= TARGET_PACK_BYTES;
    if (run && joins) run.push(blob);
    else runs.push([blob]);
    end = blob.offset + blob.length;
  }
  return runs;
}

type Open = { parts: Buffer[]; blobs: PackedBlob[]; bytes: number };

class Assembly {
  readonly packs: IndexedPack[] = [];
  readonly #repository: Repository;
  readonly #sealer: Sealer;
  /** Trees and data never share a pack. */
  readonly #open: Record<BlobType, Open> = { data: empty(), tree: empty() };

  constructor(repository: Repository, sealer: Sealer) {
    this.#repository = repository;
    this.#sealer = sealer;
  }

  async add(blob: PackedBlob, sealed: Buffer): Promise<void> {
    const open = this.#open[blob.type];
    open.blobs.push({ ...blob, offset: open.bytes });
    // A copy, so that the large buffer it was read into can go.
    open.parts.push(Buffer.from(sealed));
    open.bytes += sealed.length;
    if (open.bytes >= TARGET_PACK_BYTES) await this.#write(blob.type);
  }

  async finish(): Promise<void> {
    await this.#write('data');
    await this.#write('tree');
  }

  async #write(type: BlobType): Promise<void> {
    const { parts, blobs } = this.#open[type];
    if (blobs.length === 0) return;
    this.#open[type] = empty();
    const whole = Buffer.concat([...parts, sealPackTail(encodePackHeader(blobs), this.#sealer)]);
    const id = hash('sha256', whole, 'hex');
    await this.#repository.storage.write(packName(id), [whole]);
    this.packs.push({ id, blobs });
  }
}

function empty(): Open {
  return { parts: [], blobs: [], bytes: 0 };
}
