/** Index files: which pack holds which blobs, as JSON. */
import { errors } from '../errors.ts';
import { isId } from '../names.ts';
import type { IndexedPack, PackedBlob } from '../pack/header.ts';
import { ElementScanner } from './element-scanner.ts';

const SEAL_BYTES = 32;
const MAX_UINT32 = 0xffff_ffff;

/** Where a pack is listed. rustic marks packs that are to be deleted after a while instead of deleting them at once. */
export type PackList = 'packs' | 'packs_to_delete';

/** The JSON in parts of one pack each, with restic's order of fields. */
export function* encodeIndex(packs: Iterable<IndexedPack>): Iterable<string> {
  let separator = '{"packs":[';
  for (const { id, blobs } of packs) {
    yield `${separator}{"id":"${id}","blobs":[${blobs.map(encodeBlob).join(',')}]}`;
    separator = ',';
  }
  yield separator === ',' ? ']}\n' : `${separator}]}\n`;
}

function encodeBlob(blob: PackedBlob): string {
  const id = Buffer.from(blob.id.buffer, blob.id.byteOffset, blob.id.length).toString('hex');
  const plain = blob.compressed ? `,"uncompressed_length":${blob.plainLength}` : '';
  return `{"id":"${id}","type":"${blob.type}","offset":${blob.offset},"length":${blob.length}${plain}}`;
}

/** Takes the JSON in pieces; throws `repository/file-damaged` naming the file where it isn't an index. */
export async function decodeIndex(
  fileName: string,
  json: AsyncIterable<Buffer> | Iterable<Buffer>,
  onPack: (pack: { id: string; blobs: PackedBlob[] }, list: PackList) => void,
): Promise<void> {
  const scanner = new ElementScanner(fileName, (array, element) => {
    if (array === 'packs' || array === 'packs_to_delete') {
      onPack(decodePack(fileName, element), array);
    }
  });
  for await (const piece of json) scanner.feed(piece);
  scanner.end();
}

function decodePack(fileName: string, element: Buffer): { id: string; blobs: PackedBlob[] } {
  let pack: { id?: unknown; blobs?: unknown };
  try {
    pack = JSON.parse(element.toString('latin1'));
  } catch (cause) {
    throw errors.fileDamaged([fileName, 'its JSON is malformed'], { cause });
  }
  if (typeof pack.id !== 'string' || !isId(pack.id) || !Array.isArray(pack.blobs)) {
    throw errors.fileDamaged([fileName, 'it tells of a pack without a valid id']);
  }
  return { id: pack.id, blobs: pack.blobs.map((blob) => decodeBlob(fileName, blob)) };
}

type BlobJson = {
  id?: unknown;
  type?: unknown;
  offset?: unknown;
  length?: unknown;
  uncompressed_length?: unknown;
};

function decodeBlob(fileName: string, json: BlobJson | null): PackedBlob {
  if (json === null) throw errors.fileDamaged([fileName, 'it tells of a blob that can not be']);
  const { id, type, offset, length } = json;
  const plain = json.uncompressed_length ?? 0;
  const valid =
    typeof id === 'string' &&
    id.length === 64 &&
    (type === 'data' || type === 'tree') &&
    isUint32(offset) &&
    isUint32(length) &&
    isUint32(plain) &&
    length >= SEAL_BYTES;
  if (!valid) throw errors.fileDamaged([fileName, 'it tells of a blob that can not be']);
  const bytes = Buffer.from(id, 'hex');
  if (bytes.length !== 32) throw errors.fileDamaged([fileName, `"${id}" is no id`]);
  const compressed = plain !== 0;
  return {
    type,
    id: bytes,
    offset,
    length,
    compressed,
    plainLength: compressed ? plain : length - SEAL_BYTES,
  };
}

function isUint32(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_UINT32;
}
