/**
 * A larger database than the one that was captured: further segments of its table of pages, in index, trees and block
 * map as if they had been captured. No pack holds them, so that they take no room; whoever read them would be refused.
 */
import { randomBytes, timedId } from '#base';
import {
  type CaptureRecord,
  decodeTree,
  encodeTree,
  type IndexedPack,
  openBlockMap,
  openBlockMapWriter,
  openWriter,
  type Repository,
  type TreeNode,
  writeCapture,
} from '#repository';
import type { Filler } from './filler.ts';

const SEGMENT_BYTES = 2 ** 30;
const ID_BYTES = 32;
const SEAL_BYTES = 32;
const PACK_BYTES = 16 * 2 ** 20;
const BLOBS_PER_INDEX = 50_000;

/** A capture of its own, newer than `base`, whose table of pages has so many bytes more. */
export async function growCapture(
  repository: Repository,
  base: CaptureRecord,
  filler: Filler,
  moreBytes: number,
): Promise<CaptureRecord> {
  await repository.loadIndex();
  const chunk = base.chunkSizeBytes;
  const made = randomBytes(Math.ceil(moreBytes / chunk) * ID_BYTES);
  await indexMade(repository, made, chunk);
  const files = new Map<string, Buffer>();
  const writer = await openWriter(repository);
  const snapshot = await repository.snapshots.load(base.snapshot);
  const change = (nodes: TreeNode[], name: string) => grownNodes(nodes, name, made, chunk, files);
  const tree = await rewrite(repository, writer, snapshot.tree, filler.file.split('/'), change);
  await writer.finish();
  const { id: _id, ...kept } = snapshot;
  const saved = await repository.snapshots.save({ ...kept, tree, time: base.startedAtMs + 1 });
  const startedAtMs = base.startedAtMs + 1;
  const id = timedId(startedAtMs);
  const blockMap = await growBlockMap(repository, base, id, filler, files);
  const record: CaptureRecord = {
    ...base,
    ...{ id, snapshot: saved.id, startedAtMs },
    ...(blockMap === undefined ? {} : { blockMap }),
    statistics: { ...base.statistics, bytes: base.statistics.bytes + moreBytes },
  };
  await writeCapture(repository, record);
  return record;
}

async function indexMade(repository: Repository, ids: Buffer, chunk: number): Promise<void> {
  const blobs = ids.length / ID_BYTES;
  const perPack = Math.floor(PACK_BYTES / (chunk + SEAL_BYTES));
  let packs: IndexedPack[] = [];
  for (let first = 0; first < blobs; first += perPack) {
    const count = Math.min(perPack, blobs - first);
    packs.push({
      id: randomBytes(ID_BYTES).toString('hex'),
      blobs: Array.from({ length: count }, (_, index) => ({
        type: 'data' as const,
        id: ids.subarray((first + index) * ID_BYTES, (first + index + 1) * ID_BYTES),
        offset: index * (chunk + SEAL_BYTES),
        length: chunk + SEAL_BYTES,
        compressed: false,
        plainLength: chunk,
      })),
    });
    if (packs.length * perPack >= BLOBS_PER_INDEX || first + perPack >= blobs) {
      await repository.saveIndex(packs);
      packs = [];
    }
  }
}

/** Puts the made blobs behind the file `name` up to a whole segment, and the rest into further segments. */
function grownNodes(
  nodes: TreeNode[],
  name: string,
  made: Buffer,
  chunk: number,
  files: Map<string, Buffer>,
): TreeNode[] {
  const first = nodes.find((node) => node.name.toString() === name);
  if (!first?.content) throw new Error(`no file ${name} in the captured tree`);
  const perSegment = (SEGMENT_BYTES / chunk) * ID_BYTES;
  const all = Buffer.concat([first.content, made]);
  const grown = nodes.filter((node) => node !== first);
  for (let segment = 0; segment * perSegment < all.length; segment += 1) {
    const content = all.subarray(segment * perSegment, (segment + 1) * perSegment);
    const segmentName = segment === 0 ? name : `${name}.${segment}`;
    const sizeBytes = BigInt((content.length / ID_BYTES) * chunk);
    files.set(segmentName, content);
    grown.push({ ...first, name: Buffer.from(segmentName), content, sizeBytes });
  }
  return grown.sort((a, b) => Buffer.compare(a.name, b.name));
}

async function rewrite(
  repository: Repository,
  writer: Awaited<ReturnType<typeof openWriter>>,
  tree: string,
  [name = '', ...rest]: string[],
  change: (nodes: TreeNode[], name: string) => TreeNode[],
): Promise<string> {
  const nodes = [...decodeTree(await repository.readBlob('tree', tree))];
  if (rest.length === 0) return await writer.saveTree(encodeTree(change(nodes, name)));
  const below = nodes.find((node) => node.name.toString() === name);
  if (!below?.subtree) throw new Error(`no folder ${name} in the captured tree`);
  below.subtree = await rewrite(repository, writer, below.subtree, rest, change);
  return await writer.saveTree(encodeTree(nodes));
}

async function growBlockMap(
  repository: Repository,
  base: CaptureRecord,
  id: string,
  filler: Filler,
  grown: ReadonlyMap<string, Buffer>,
): Promise<string | undefined> {
  if (base.blockMap === undefined) return undefined;
  const before = await openBlockMap(repository, base.blockMap);
  const after = openBlockMapWriter(repository, base.address, id);
  const add = (path: Buffer, ids: Buffer, sizeBytes: bigint) =>
    after.add(path, sizeBytes, base.chunkSizeBytes, ids);
  for (const file of before.files) {
    if (file.path.toString() === filler.file) continue;
    const blocks = Math.ceil(Number(file.sizeBytes) / file.chunkSizeBytes);
    const ids: Buffer[] = [];
    for (let block = 0; block < blocks; block += 1) ids.push(await before.blockId(file, block));
    await add(file.path, Buffer.concat(ids), file.sizeBytes);
  }
  const folder = filler.file.slice(0, filler.file.lastIndexOf('/') + 1);
  for (const [name, ids] of grown) {
    const sizeBytes = BigInt((ids.length / ID_BYTES) * base.chunkSizeBytes);
    await add(Buffer.from(`${folder}${name}`), ids, sizeBytes);
  }
  return await after.finish();
}
