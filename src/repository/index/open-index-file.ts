/** A stored index file, opened and read: in a worker thread for all but the smallest. */
import { HoldfastError, messageOf } from '#base';
import { decompress, decompressInPieces } from '../crypto/compression.ts';
import type { Sealer } from '../crypto/sealer.ts';
import { ZSTD_MARK, zstdContentBytes } from '../crypto/zstd-frame.ts';
import { errors } from '../errors.ts';
import type { IndexEntries } from './index-entries.ts';
import { IndexParser } from './index-parser.ts';

/** Longer ones are decompressed in pieces, so that no file, however it lies about itself, takes much memory. */
const MAX_WHOLE_BYTES = 32 * 1024 * 1024;

/** 25 million blobs. Beyond, it is no index but a few bytes that decompress without end. */
const MAX_BYTES = 4 * 1024 * 1024 * 1024;

/** `stored`: the sealed bytes, already held against their name. Throws `repository/file-damaged` naming the file. */
export async function openIndexFile(
  sealer: Sealer,
  fileName: string,
  stored: Uint8Array,
): Promise<IndexEntries> {
  const parser = new IndexParser(fileName);
  try {
    const plain = sealer.open(stored);
    if (plain[0] !== ZSTD_MARK) parser.feed(plain);
    else await feedCompressed(parser, plain.subarray(1));
  } catch (error) {
    if (error instanceof HoldfastError && error.code !== 'repository/not-authentic') throw error;
    throw errors.fileDamaged([fileName, messageOf(error)], { cause: error });
  }
  return parser.end();
}

async function feedCompressed(parser: IndexParser, compressed: Buffer): Promise<void> {
  const bytes = zstdContentBytes(compressed);
  if (bytes !== undefined && bytes <= MAX_WHOLE_BYTES) parser.feed(decompress(compressed, bytes));
  else {
    let fedBytes = 0;
    for await (const piece of decompressInPieces(compressed)) {
      fedBytes += piece.length;
      if (fedBytes > MAX_BYTES) throw new RangeError(`it holds more than ${MAX_BYTES} bytes`);
      parser.feed(piece);
    }
  }
}
