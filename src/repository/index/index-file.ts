/** Index files: which pack holds which blobs, as JSON. */
import type { IndexedPack, PackedBlob } from '../pack/header.ts';
import type { IndexEntries } from './index-entries.ts';
import { IndexParser } from './index-parser.ts';

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
): Promise<IndexEntries> {
  const parser = new IndexParser(fileName);
  for await (const piece of json) parser.feed(piece);
  return parser.end();
}
