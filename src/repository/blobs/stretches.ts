/** Which stretches of which packs to read for a set of blobs. */
import type { BlobIndex } from '../index/blob-index.ts';
import { type BlobType, ID_BYTES } from '../names.ts';
import type { PackedBlob } from '../pack/header.ts';

export type Stretch = {
  packId: string;
  offset: number;
  length: number;
  /** Sum of the plain lengths. */
  plainBytes: number;
  /** Ordered by offset. */
  blobs: PackedBlob[];
};

/** Reading over a gap of this size costs less than another request. */
const MAX_GAP_BYTES = 64 * 1024;

/** Longer stretches would keep the other threads waiting; a single blob may be longer. */
const MAX_STRETCH_BYTES = 4 * 1024 * 1024;

/** What blobs of one stretch say to be, decompressed: an index may lie, and their memory is taken at once. */
const MAX_PLAIN_BYTES = 64 * 1024 * 1024;

/** What is asked for, as entry numbers (4 bytes each, whatever the number of blobs), and ids that no index knows. */
export type Wanted = { entries: Uint32Array; unknown: Buffer[] };

export function wantedEntries(index: BlobIndex, type: BlobType, ids: Uint8Array): Wanted {
  const entries = new Uint32Array(ids.length / ID_BYTES);
  const unknown: Buffer[] = [];
  let count = 0;
  for (let at = 0; at < ids.length; at += ID_BYTES) {
    const entry = index.entryOf(type, ids, at);
    if (entry < 0) unknown.push(Buffer.from(ids.subarray(at, at + ID_BYTES)));
    else {
      entries[count] = entry;
      count += 1;
    }
  }
  // Entries of one pack lie together, so that this orders by pack, and makes repeated ones neighbours.
  return { entries: entries.subarray(0, count).sort(), unknown };
}

export function* stretches(index: BlobIndex, entries: Uint32Array): Iterable<Stretch> {
  for (const { packId, blobs } of byPack(index, entries)) {
    blobs.sort((a, b) => a.offset - b.offset);
    let stretch: Stretch | undefined;
    for (const blob of blobs) {
      const end = blob.offset + blob.length;
      const joins =
        stretch &&
        blob.offset - (stretch.offset + stretch.length) <= MAX_GAP_BYTES &&
        end - stretch.offset <= MAX_STRETCH_BYTES &&
        stretch.plainBytes + blob.plainLength <= MAX_PLAIN_BYTES;
      if (stretch && joins) {
        stretch.length = end - stretch.offset;
        stretch.plainBytes += blob.plainLength;
        stretch.blobs.push(blob);
      } else {
        if (stretch) yield stretch;
        const { offset, length, plainLength: plainBytes } = blob;
        stretch = { packId, offset, length, plainBytes, blobs: [blob] };
      }
    }
    if (stretch) yield stretch;
  }
}

function* byPack(
  index: BlobIndex,
  entries: Uint32Array,
): Iterable<{ packId: string; blobs: PackedBlob[] }> {
  let packId = '';
  let blobs: PackedBlob[] = [];
  let last = -1;
  for (const entry of entries) {
    if (entry === last) continue;
    last = entry;
    const location = index.locationOf(entry);
    if (location.packId !== packId) {
      if (blobs.length > 0) yield { packId, blobs };
      packId = location.packId;
      blobs = [];
    }
    blobs.push(location);
  }
  if (blobs.length > 0) yield { packId, blobs };
}
