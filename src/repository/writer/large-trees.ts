/**
 * Trees of huge folders: hashed and compressed part by part as they are written, so that memory holds only what will be
 * stored. A blob of its own is a pack of its own.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import zlib from 'node:zlib';
import { MAX_BLOB_BYTES } from '../blobs/open-blob.ts';
import { COMPRESSION_LEVEL } from '../crypto/compression.ts';
import { SEAL_OVERHEAD_BYTES, Sealer } from '../crypto/sealer.ts';
import { errors } from '../errors.ts';
import { encodePackHeader } from '../pack/header.ts';
import { packIdOf } from '../pack/id.ts';
import { sealPackTail } from '../pack/tail.ts';
import type { Repository } from '../repository.ts';
import { ClaimTable } from './claim-table.ts';

const PIECE_BYTES = 1024 * 1024;

/** `parts` follow one another; `header` is plain. */
export type SealedTree = {
  id: string;
  /** Undefined where the repository holds the tree already. */
  pack?: { id: string; parts: Buffer[]; header: Buffer };
};

export class LargeTreeSealer {
  readonly #repository: Pick<Repository, 'index' | 'masterKey'>;
  readonly #claims: ClaimTable;

  constructor(repository: Pick<Repository, 'index' | 'masterKey'>, claims: SharedArrayBuffer) {
    this.#repository = repository;
    this.#claims = new ClaimTable(claims);
  }

  /** Throws `repository/tree-too-large`. */
  async seal(parts: Iterable<Uint8Array>): Promise<SealedTree> {
    const { id, plainLength, pieces } = await hashedAndCompressed(parts);
    const hexId = id.toString('hex');
    const { index, masterKey } = this.#repository;
    if (index.has('tree', id) || !this.#claims.claim('tree', id)) return { id: hexId };
    const sealer = new Sealer(masterKey);
    const length = pieces.reduce((sum, piece) => sum + piece.length, SEAL_OVERHEAD_BYTES);
    const blob = { type: 'tree', id, offset: 0, length, compressed: true, plainLength } as const;
    const header = encodePackHeader([blob]);
    const sealed = sealer.sealParts(givenAway(pieces));
    sealed.push(sealPackTail(header, sealer));
    return { id: hexId, pack: { id: packIdOf(sealed), parts: sealed, header } };
  }
}

type Compressed = { id: Buffer; plainLength: number; pieces: Buffer[] };

async function hashedAndCompressed(parts: Iterable<Uint8Array>): Promise<Compressed> {
  const hash = createHash('sha256');
  let plainLength = 0;
  function* counted(): Generator<Uint8Array> {
    for (const part of parts) {
      hash.update(part);
      plainLength += part.length;
      if (plainLength > MAX_BLOB_BYTES) throw errors.treeTooLarge([MAX_BLOB_BYTES]);
      yield part;
    }
  }
  const params = { [zlib.constants.ZSTD_c_compressionLevel]: COMPRESSION_LEVEL };
  const compressor = zlib.createZstdCompress({ params, chunkSize: PIECE_BYTES });
  const source = Readable.from(counted());
  source.on('error', (error) => compressor.destroy(error));
  const pieces: Buffer[] = [];
  for await (const piece of source.pipe(compressor) as AsyncIterable<Buffer>) pieces.push(piece);
  return { id: hash.digest(), plainLength, pieces };
}

/** Nobody needs them afterwards. */
function* givenAway(pieces: Buffer[]): Generator<Buffer> {
  for (let piece = pieces.shift(); piece; piece = pieces.shift()) yield piece;
}
