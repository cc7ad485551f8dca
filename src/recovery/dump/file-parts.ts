import { ID_BYTES, type TreeNode } from '#repository';
import type { ContentReader, Part } from './in-order.ts';

export type FileParts = { sizeBytes: number; parts: Iterable<Part> };

type Lookup = Pick<ContentReader, 'index'>;

/**
 * The places of a regular file's blobs. The content decides how large it is, as in a restore. Where a blob is in no
 * index, what follows it can't be told: zeros up to the size that was noted stand there.
 */
export function filePartsOf(
  { index }: Lookup,
  node: TreeNode,
  onLost: (what: string) => void,
): FileParts {
  const content = node.content ?? Buffer.alloc(0);
  let knownBytes = 0;
  let at = 0;
  for (; at < content.length; at += ID_BYTES) {
    const lengthBytes = index.lookup('data', content, at)?.plainLength;
    if (lengthBytes === undefined) break;
    knownBytes += lengthBytes;
  }
  const known = content.subarray(0, at);
  if (known.length === content.length) {
    return { sizeBytes: knownBytes, parts: blobParts(index, known, onLost) };
  }
  const sizeBytes = Math.max(knownBytes, Number(node.sizeBytes));
  const name = content.toString('hex', at, at + 6);
  onLost(`everything from offset ${knownBytes} on is lost (blob ${name} is in no index)`);
  const missing: Part = { kind: 'zeros', lengthBytes: sizeBytes - knownBytes };
  return { sizeBytes, parts: joined(blobParts(index, known, onLost), missing) };
}

function* blobParts(
  index: Lookup['index'],
  content: Buffer,
  onLost: (what: string) => void,
): Generator<Part> {
  let offset = 0;
  for (let at = 0; at < content.length; at += ID_BYTES) {
    const id = content.subarray(at, at + ID_BYTES);
    const lengthBytes = index.lookup('data', id)?.plainLength ?? 0;
    const what = `${lengthBytes} bytes at offset ${offset} are lost (blob ${id.toString('hex', 0, 6)})`;
    yield { kind: 'blob', id, lengthBytes, onLost: () => onLost(what) };
    offset += lengthBytes;
  }
}

function* joined(parts: Iterable<Part>, last: Part): Generator<Part> {
  yield* parts;
  yield last;
}
