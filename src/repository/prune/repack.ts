/** Moves needed blobs into new packs. Sealed bytes are verified and then copied as they are: their seal knows no place. */
import { createHash } from 'node:crypto';
import { isHoldfastError } from '#base';
import { Sealer } from '../crypto/sealer.ts';
import { errors } from '../errors.ts';
import { inLanes } from '../in-lanes.ts';
import { type BlobType, packName } from '../names.ts';
import { encodePackHeader, type IndexedPack, type PackedBlob } from '../pack/header.ts';
import { sealPackTail } from '../pack/tail.ts';
import type { Repository } from '../repository.ts';

/** `keep`: what moves; nothing where no blob of it is needed from here. */
export type PackToRepack = { packId: string; keep: readonly PackedBlob[] };

export type RepackOptions = {
  signal: AbortSignal;
  onPack: (packId: string) => void;
  /** A pack that doesn't give back what it should: it must stay. Without this the call rejects. */
  onDamaged?: (packId: string) => void;
};

const TARGET_PACK_BYTES = 16 * 1024 * 1024;
/** Neighbours with a smaller gap are read at once. */
const MAX_GAP_BYTES = 256 * 1024;
const MAX_STRETCH_BYTES = 4 * 1024 * 1024;
const PACKS_AT_ONCE = 4;

/**
 * Resolves to the new packs, all durable; no index tells of them yet. Throws `repository/blob-damaged` at the first blob
 * that isn't whole: nothing was removed by then. Memory: a few stretches and the two packs that fill.
 */
export async function repack(
  repository: Repository,
  packs: Iterable<PackToRepack>,
  options: RepackOptions,
): Promise<IndexedPack[]> {
  const assembly = new Assembly(repository, new Sealer(repository.masterKey));
  await inLanes(packs, PACKS_AT_ONCE, async ({ packId, keep }) => {
    try {
      for (const run of runsOf(keep)) {
        options.signal.throwIfAborted();
        await copyRun(repository, packId, run, assembly);
      }
      options.onPack(packId);
    } catch (error) {
      if (!options.onDamaged || !isDamage(error)) throw error;
      options.onDamaged(packId);
    }
  });
  await assembly.finish();
  return assembly.packs;
}

function isDamage(error: unknown): boolean {
  return ['blob-damaged', 'not-in-storage', 'short-read'].some((code) =>
    isHoldfastError(error, `repository/${code}`),
  );
}

async function copyRun(
  repository: Repository,
  packId: string,
  run: readonly PackedBlob[],
  assembly: Assembly,
): Promise<void> {
  const first = run[0] as PackedBlob;
  const last = run.at(-1) as PackedBlob;
  const length = last.offset + last.length - first.offset;
  const range = { offset: first.offset, length };
  const bytes = await repository.storage.read(packName(packId), range, { blobs: first.type });
  const whole = await repository.verifySealed(packId, first.offset, run, bytes);
  for (const [i, blob] of run.entries()) {
    if (!whole[i]) {
      const id = Buffer.from(blob.id).toString('hex');
      throw errors.blobDamaged([blob.type, id, packId, 'it is not what its id says']);
    }
    const at = blob.offset - first.offset;
    await assembly.add(blob, bytes.subarray(at, at + blob.length));
  }
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
      blob.offset + blob.length - first.offset <= MAX_STRETCH_BYTES;
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
    const whole = [...parts, sealPackTail(encodePackHeader(blobs), this.#sealer)];
    const sum = createHash('sha256');
    for (const part of whole) sum.update(part);
    const id = sum.digest('hex');
    const { storage, parity } = this.#repository;
    await storage.write(packName(id), whole, { blobs: type });
    await parity.packStored(id, whole);
    this.packs.push({ id, blobs });
  }
}

function empty(): Open {
  return { parts: [], blobs: [], bytes: 0 };
}
