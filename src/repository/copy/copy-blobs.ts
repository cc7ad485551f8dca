/** From one repository to another: blobs that the other one lacks, each opened, verified and sealed with the other key. */
import type { HoldfastError } from '#base';
import type { ReadBlob } from '../blobs/read-blobs.ts';
import { compressAside } from '../crypto/compression.ts';
import type { BlobType } from '../names.ts';
import type { Repository } from '../repository.ts';
import type { PackFiller } from './fill-packs.ts';

export type CopyBlobsOptions = {
  signal: AbortSignal;
  onCopied: (plainBytes: number) => void;
  /** No copy of it is whole. */
  onDamaged: (type: BlobType, id: Buffer, error: HoldfastError) => void;
};

/** Numbers of entries in the source's index, each once. */
export async function copyBlobs(
  from: Repository,
  filler: PackFiller,
  entries: readonly number[],
  options: CopyBlobsOptions,
): Promise<void> {
  const { signal, onCopied, onDamaged } = options;
  const ids: Record<BlobType, Buffer[]> = { data: [], tree: [] };
  for (const entry of entries) {
    const { type, id } = from.index.locationOf(entry);
    ids[type].push(id as Buffer);
  }
  // Data before the trees that name it.
  for (const type of ['data', 'tree'] as const) {
    await from.readPayloads(
      type,
      Buffer.concat(ids[type]),
      async (blob) => {
        await filler.add(type, await payloadOf(from, type, blob));
        onCopied(blob.plainLength);
      },
      { signal, onDamaged: (id, error) => onDamaged(type, id, error as HoldfastError) },
    );
  }
}

/** Compressed only where the source couldn't be (format 1), or didn't though the format asks for it (trees). */
async function payloadOf(from: Repository, type: BlobType, blob: ReadBlob) {
  const { id, bytes, compressed, plainLength } = blob;
  const asItIs = { id, payload: bytes, compressed, plainLength };
  if (compressed || (type === 'data' && from.config.version >= 2)) return asItIs;
  const packed = await compressAside(bytes);
  const useful = packed.length < bytes.length || type === 'tree';
  return useful ? { id, payload: packed, compressed: true, plainLength } : asItIs;
}
