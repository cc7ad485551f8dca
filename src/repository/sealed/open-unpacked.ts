/** What lies in a file that is stored whole: JSON, in version 2 as 0x02 and zstd, else (first byte `{` or `[`) as it is. */
import { HoldfastError, messageOf } from '#base';
import { decompress } from '../crypto/compression.ts';
import type { Sealer } from '../crypto/sealer.ts';
import type { Decompressor } from '../crypto/zstd-context.ts';
import { ZSTD_MARK, zstdContentBytes } from '../crypto/zstd-frame.ts';
import { errors } from '../errors.ts';

const MAX_SMALL_FILE_BYTES = 64 * 1024 * 1024;

/** Where it is compressed, the rest is zstd. */
export type UnsealedFile = { compressed: boolean; bytes: Buffer };

/** Throws `repository/file-damaged` naming it. */
export function unsealUnpacked(sealer: Sealer, name: string, stored: Buffer): UnsealedFile {
  const plain = namingDamage(name, () => sealer.open(stored));
  const first = plain[0];
  if (first === ZSTD_MARK) return { compressed: true, bytes: plain.subarray(1) };
  if (first === 0x7b || first === 0x5b) return { compressed: false, bytes: plain };
  throw errors.fileDamaged([name, `its content begins with an unknown byte (${first})`]);
}

/** The JSON of a small file (at most 64 MiB); holds until the next call. Throws `repository/file-damaged` naming it. */
export function openUnpacked(
  { sealer, decompressor }: { sealer: Sealer; decompressor: Decompressor },
  name: string,
  stored: Buffer,
): Buffer {
  const { compressed, bytes } = unsealUnpacked(sealer, name, stored);
  if (!compressed) return bytes;
  return namingDamage(name, () => {
    const length = zstdContentBytes(bytes);
    return length === undefined || length > MAX_SMALL_FILE_BYTES
      ? decompress(bytes, MAX_SMALL_FILE_BYTES)
      : decompressor.decompress(bytes, length);
  });
}

export function namingDamage<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw damaged(name, error);
  }
}

export function damaged(name: string, error: unknown): HoldfastError {
  if (error instanceof HoldfastError && error.code !== 'repository/not-authentic') return error;
  return errors.fileDamaged([name, messageOf(error)], { cause: error });
}
