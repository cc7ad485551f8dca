/** zstd as restic writes and reads it. Mostly synchronous: for worker threads and for small files. */
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { zstdContentBytes } from './zstd-frame.ts';

/** zstd's own default; restic's `auto` is the same level. */
export const COMPRESSION_LEVEL = 3;

/**
 * `usual`: as restic does, but with tables of half the size and no matches below five bytes: 0.7% more bytes over a
 * mixed tree in a sixth less time, as both threads of a core find room for them beside each other. `pages`: for the
 * pages of databases, by zstd's fast strategy with short matches and a table that a core has room for beside the page.
 * Rows and keys come out as small as usual or 3% smaller, text 3% larger, in a tenth to two fifths less time.
 */
export type Compression = 'usual' | 'pages';

export const COMPRESSIONS: Readonly<Record<Compression, Record<number, number>>> = {
  usual: {
    [zlib.constants.ZSTD_c_compressionLevel]: COMPRESSION_LEVEL,
    [zlib.constants.ZSTD_c_hashLog]: 16,
    [zlib.constants.ZSTD_c_chainLog]: 15,
    [zlib.constants.ZSTD_c_minMatch]: 5,
  },
  pages: {
    [zlib.constants.ZSTD_c_compressionLevel]: 2,
    [zlib.constants.ZSTD_c_strategy]: zlib.constants.ZSTD_fast,
    [zlib.constants.ZSTD_c_hashLog]: 13,
    [zlib.constants.ZSTD_c_minMatch]: 5,
  },
};

/** Windows above this are refused at reading, so that no frame makes us allocate without bound. */
export const MAX_WINDOW_LOG = 27;

const PIECE_BYTES = 1024 * 1024;
/** Above any blob: a larger bound is that of a file of unknown length. */
const MOST_LIKELY_BYTES = 16 * 1024 * 1024;
const MOST_ROOM_BYTES = 32 * 1024 * 1024;

export function compress(plain: Uint8Array, params = COMPRESSIONS.usual): Buffer {
  return zlib.zstdCompressSync(plain, optionsFor(plain, params));
}

/** The most that zstd can need: ZSTD_COMPRESSBOUND. */
function boundOf(plain: Uint8Array): number {
  return plain.length + (plain.length >>> 8) + 128;
}

function optionsFor(plain: Uint8Array, params: Record<number, number>): zlib.ZstdOptions {
  return {
    // One piece of output: the default is 128 KiB for the smallest.
    chunkSize: boundOf(plain),
    // Tables and window then fit the content: less to set up, here and wherever it is decompressed.
    pledgedSrcSize: plain.length,
    params,
  };
}

const zstdCompress = promisify<Uint8Array, zlib.ZstdOptions, Buffer>(zlib.zstdCompress);

/** The same in a thread of Node's pool, for larger files that are written from the main thread. */
export function compressAside(plain: Uint8Array, level = COMPRESSION_LEVEL): Promise<Buffer> {
  const params = { [zlib.constants.ZSTD_c_compressionLevel]: level };
  return zstdCompress(plain, optionsFor(plain, params));
}

/** Throws Node's RangeError `ERR_BUFFER_TOO_LARGE` where more than `maxBytes` would come out. */
export function decompress(compressed: Uint8Array, maxBytes: number): Buffer {
  return zlib.zstdDecompressSync(compressed, {
    maxOutputLength: Math.max(maxBytes, 1),
    chunkSize: roomFor(compressed, maxBytes),
    params: { [zlib.constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG },
  });
}

/**
 * One piece of output for what fits: the default of 128 KiB would be allocated for the smallest blob. Where only a bound
 * is known, a large one says nothing.
 */
function roomFor(compressed: Uint8Array, maxBytes: number): number {
  const { buffer, byteOffset, byteLength } = compressed;
  const stated = zstdContentBytes(Buffer.from(buffer, byteOffset, byteLength));
  const likely = Math.min(
    stated ?? (maxBytes > MOST_LIKELY_BYTES ? PIECE_BYTES : maxBytes),
    maxBytes,
  );
  return Math.min(Math.max(likely + 64, 1024), MOST_ROOM_BYTES);
}

/** Plain bytes in pieces, for files that may be long. */
export async function* decompressInPieces(compressed: Uint8Array): AsyncIterable<Buffer> {
  const stream = zlib.createZstdDecompress({
    chunkSize: PIECE_BYTES,
    params: { [zlib.constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG },
  });
  stream.end(compressed);
  yield* stream as AsyncIterable<Buffer>;
}
