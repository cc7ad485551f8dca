/** Lays a tree out on disk with empty files of the right size, and notes where their content lies. */
import fs from 'node:fs';
import path from 'node:path';
import { isHoldfastError } from '#base';
import { type BlockMap, ID_BYTES, openBlockMap, type Repository, type TreeNode } from '#repository';
import type { RestoreRequest, RestoreResult } from '../../restore/request.ts';
import { restoreTree } from '../../restore/restore-tree.ts';
import type { ContentsOptions, RestoredContents } from '../../restore/restored-contents.ts';
import { BlockListWriter, type Cut } from './block-list.ts';
import { EarlyBlobs } from './early-blobs.ts';
import { createPageFiles } from './page-store.ts';
import { tellingFull } from './telling-full.ts';

export type LazyPlaces = {
  /** The files on disk: ordinary sparse files. Once all of them is here, an ordinary folder. */
  files: string;
  /** What is known of them. */
  state: string;
};

export type LayOutRequest = Omit<RestoreRequest, 'target' | 'existing' | 'repository'> & {
  repository: Repository;
  /** Of the capture, where it has one: spares looking up how long each blob is. */
  blockMap?: string;
};

/**
 * Folders, links, metadata as a restore makes them, and of each file only its size. Both folders must be absent or
 * empty. Outlives this process when it resolves, and this host once the mount was settled. Rejects as `restoreTree`
 * does, and with `recovery/mount-full`. `early` is told of every file.
 */
export async function layOutTree(
  request: LayOutRequest,
  places: LazyPlaces,
  early: EarlyBlobs = new EarlyBlobs([]),
): Promise<RestoreResult> {
  return await tellingFull(places.state, () => layOut(request, places, early));
}

async function layOut(
  request: LayOutRequest,
  { files, state }: LazyPlaces,
  early: EarlyBlobs,
): Promise<RestoreResult> {
  fs.mkdirSync(state, { recursive: true, mode: 0o700 });
  const writer = new BlockListWriter(state);
  const map = await blockMapOf(request);
  const contents = (options: ContentsOptions) => new LazyContents({ options, writer, map, early });
  const result = await restoreTree({ ...request, target: files }, contents);
  writer.finish();
  createPageFiles(
    state,
    writer.files.map(({ sizeBytes }) => sizeBytes),
  );
  fs.writeFileSync(path.join(state, 'whole'), '', { flag: 'wx', mode: 0o600 });
  return result;
}

/** The tree tells the same in the end, where the map is gone or of no use. */
async function blockMapOf({ repository, blockMap }: LayOutRequest): Promise<BlockMap | undefined> {
  if (blockMap === undefined) return undefined;
  try {
    return await openBlockMap(repository, blockMap);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return undefined;
  }
}

/** True where a layout was finished: a half one is of no use. */
export function isLaidOut({ state }: LazyPlaces): boolean {
  return fs.existsSync(path.join(state, 'whole'));
}

type LazyContentsParts = {
  options: ContentsOptions;
  writer: BlockListWriter;
  map: BlockMap | undefined;
  early: EarlyBlobs;
};

class LazyContents implements RestoredContents {
  readonly #options: ContentsOptions;
  readonly #writer: BlockListWriter;
  readonly #map: BlockMap | undefined;
  readonly #early: EarlyBlobs;

  constructor({ options, writer, map, early }: LazyContentsParts) {
    this.#options = options;
    this.#writer = writer;
    this.#map = map;
    this.#early = early;
  }

  add(relative: string, node: TreeNode): undefined {
    const { report, target, applyMetadata, entryFailed } = this.#options;
    try {
      const file = target.path(relative);
      const ids = node.content ?? Buffer.alloc(0);
      const cut = this.#evenCut(relative, ids) ?? this.#cutOf(ids);
      if (!cut) {
        report.problem(
          relative,
          'a part of its content is in no index of the repository: left out',
        );
        return;
      }
      const sizeBytes = sizeOf(cut);
      const stat = makeSparse(file, sizeBytes);
      this.#early.add(relative, sizeBytes, ids);
      if (ids.length > 0) this.#writer.add(stat, ids, cut);
      report.metadataFailures(relative, applyMetadata(file, node));
      report.files += 1;
    } catch (error) {
      entryFailed(relative, error);
    }
  }

  async flush(): Promise<void> {
    // Every file is complete when it was added.
  }

  async close(): Promise<void> {
    // Nothing is open between files.
  }

  /** Undefined where the map doesn't tell of this file, or of another content. */
  #evenCut(relative: string, ids: Buffer): Cut | undefined {
    const mapped = this.#map?.find(Buffer.from(relative, 'latin1'));
    if (!mapped) return undefined;
    const cut = { sizeBytes: Number(mapped.sizeBytes), blockBytes: mapped.chunkSizeBytes };
    const isSame = Math.ceil(cut.sizeBytes / cut.blockBytes) === ids.length / ID_BYTES;
    return isSame ? cut : undefined;
  }

  /** Undefined where the index doesn't know all of them. */
  #cutOf(ids: Buffer): Cut | undefined {
    const { index } = this.#options.repository;
    const lengths: number[] = [];
    for (let at = 0; at < ids.length; at += ID_BYTES) {
      const length = index.lookup('data', ids, at)?.plainLength;
      if (length === undefined) return undefined;
      lengths.push(length);
    }
    return { lengths };
  }
}

function sizeOf(cut: Cut): number {
  if ('sizeBytes' in cut) return cut.sizeBytes;
  return cut.lengths.reduce((sum, length) => sum + length, 0);
}

function makeSparse(file: Buffer, sizeBytes: number): fs.BigIntStats {
  const descriptor = fs.openSync(file, 'wx', 0o600);
  try {
    fs.ftruncateSync(descriptor, sizeBytes);
    return fs.fstatSync(descriptor, { bigint: true });
  } finally {
    fs.closeSync(descriptor);
  }
}
