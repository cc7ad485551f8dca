import type { BlobType } from '../names.ts';
import type { ReadBlobsOptions, Repository } from '../repository.ts';

export async function readBlobs(
  repository: Repository,
  type: BlobType,
  ids: Uint8Array,
  onBlob: (id: Buffer, bytes: Buffer) => void | Promise<void>,
  _options: ReadBlobsOptions,
): Promise<void> {
  for (let at = 0; at < ids.length; at += 32) {
    const id = Buffer.from(ids.subarray(at, at + 32));
    await onBlob(id, await repository.readBlob(type, id));
  }
}
