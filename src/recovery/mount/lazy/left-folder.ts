/**
 * A folder that was mounted and isn't any more, though not all of it is here: which blocks of its files are still what the
 * repository holds, and the bytes of the others. What was only read counts as here: its bytes say that they are the same.
 */
import fs, { type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { Repository } from '#repository';
import type { ContentBlock, LeftTree } from '#sources';
import { errors } from '../../errors.ts';
import { type Block, BlockList, type LazyFile, readLazyFiles } from './block-list.ts';
import type { LazyPlaces } from './lay-out.ts';
import { PAGE_BYTES, type PageMap } from './page-map.ts';
import { loadPageMap } from './page-store.ts';

export type LeftFolder = LeftTree & { close(): void };

/** After the unmount, and with nothing that writes there. Throws `recovery/writes-lost`. */
export function openLeftFolder(
  { files: directory, state }: LazyPlaces,
  repository: Pick<Repository, 'readBlob'>,
): LeftFolder {
  const files = readLazyFiles(state);
  const sizes = files.map(({ sizeBytes }) => sizeBytes);
  const map = loadPageMap(state, sizes);
  if (map.hasLostWrites) throw errors.writesLost([directory]);
  const parts: Parts = {
    numbers: new Map(files.map(({ inode }, number) => [inode, number])),
    files,
    map,
    list: new BlockList(state, files),
    repository,
  };
  return {
    directory,
    blocks: (relative, chunkSizeBytes) =>
      blocksOf(parts, path.join(directory, relative), chunkSizeBytes),
    close: () => parts.list.close(),
  };
}

type Parts = {
  numbers: ReadonlyMap<bigint, number>;
  files: readonly LazyFile[];
  map: PageMap;
  list: BlockList;
  repository: Pick<Repository, 'readBlob'>;
};

async function* blocksOf(
  parts: Parts,
  file: string,
  chunkSizeBytes: number,
): AsyncGenerator<ContentBlock> {
  const handle = await fs.open(file, 'r');
  try {
    const { ino, birthtimeNs, size } = await handle.stat({ bigint: true });
    const number = parts.numbers.get(ino);
    const isLazy = number !== undefined && parts.files[number]?.bornNs === birthtimeNs;
    for (let start = 0; start < Number(size); start += chunkSizeBytes) {
      const end = Math.min(start + chunkSizeBytes, Number(size));
      if (!isLazy) yield { from: 'here', bytes: await readSpan(handle, start, end) };
      else yield await lazyBlock(parts, { number, handle, start, end });
    }
  } finally {
    await handle.close();
  }
}

type Span = { number: number; handle: FileHandle; start: number; end: number };

async function lazyBlock(parts: Parts, { number, handle, ...span }: Span): Promise<ContentBlock> {
  const { map, list, repository } = parts;
  const { start, end } = span;
  const stored = list.blocksOf(number, start, end);
  const absent = absentSpans(map, number, start, end);
  const [same] = stored;
  const isWhole = same?.start === start && same.end === end && stored.length === 1;
  const isUntouched = absent.length === 1 && absent[0]?.start === start && absent[0].end === end;
  if (isWhole && isUntouched) {
    return { from: 'before', id: Buffer.from(same.id), sizeBytes: end - start };
  }
  const bytes = await readSpan(handle, start, end);
  for (const block of stored) {
    const wanted = absent.filter((one) => one.start < block.end && one.end > block.start);
    if (wanted.length === 0) continue;
    const plain = await repository.readBlob('data', block.id);
    for (const one of wanted) copyWithin(plain, block, one, bytes, start);
  }
  return { from: 'here', bytes };
}

type Extent = { start: number; end: number };

/** What of these bytes lies in the repository alone. Behind the limit a file reads as zeros, as it does on disk. */
function absentSpans(map: PageMap, file: number, start: number, end: number): Extent[] {
  const counting = Math.min(end, map.limitOf(file));
  const runs = map.runs(file, Math.floor(start / PAGE_BYTES), Math.ceil(counting / PAGE_BYTES));
  return [...runs]
    .filter(({ present }) => !present)
    .map((run) => ({
      start: Math.max(start, run.first * PAGE_BYTES),
      end: Math.min(counting, run.end * PAGE_BYTES),
    }))
    .filter((one) => one.start < one.end);
}

function copyWithin(plain: Buffer, block: Block, { start, end }: Extent, to: Buffer, at: number) {
  const from = Math.max(start, block.start);
  plain.copy(to, from - at, from - block.start, Math.min(end, block.end) - block.start);
}

async function readSpan(handle: FileHandle, start: number, end: number): Promise<Buffer> {
  const bytes = Buffer.alloc(end - start);
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, start + done);
    if (bytesRead === 0) throw new Error('a file of a stopped copy became shorter');
    done += bytesRead;
  }
  return bytes;
}
