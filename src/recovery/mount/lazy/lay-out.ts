/** Lays a tree out on disk with empty files of the right size, and notes where their content lies. */
import fs from 'node:fs';
import path from 'node:path';
import { ID_BYTES, type TreeNode } from '#repository';
import type { ContentsOptions, RestoredContents } from '../../restore/contents.ts';
import type { RestoreRequest, RestoreResult } from '../../restore/request.ts';
import { restoreTree } from '../../restore/restore-tree.ts';
import { BlockListWriter } from './block-list.ts';
import { createPageFiles } from './page-store.ts';
import { tellingFull } from './telling-full.ts';

export type LazyPlaces = {
  /** The files on disk: ordinary sparse files. Once all of them is here, an ordinary folder. */
  files: string;
  /** What is known of them. */
  state: string;
};

/**
 * Folders, links, metadata as a restore makes them, and of each file only its size. Both folders must be absent or
 * empty. Durable when it resolves, but for the files themselves, which hold nothing yet. Rejects as `restoreTree` does, and
 * with `recovery/mount-full`.
 */
export async function layOutTree(
  request: Omit<RestoreRequest, 'target' | 'existing'>,
  places: LazyPlaces,
): Promise<RestoreResult> {
  return await tellingFull(places.state, () => layOut(request, places));
}

async function layOut(
  request: Omit<RestoreRequest, 'target' | 'existing'>,
  { files, state }: LazyPlaces,
): Promise<RestoreResult> {
  fs.mkdirSync(state, { recursive: true, mode: 0o700 });
  const writer = new BlockListWriter(state);
  const contents = (options: ContentsOptions) => new LazyContents(options, writer);
  const result = await restoreTree({ ...request, target: files }, contents);
  writer.finish();
  createPageFiles(
    state,
    writer.files.map(({ sizeBytes }) => sizeBytes),
  );
  fs.writeFileSync(path.join(state, 'whole'), '', { flush: true, flag: 'wx', mode: 0o600 });
  return result;
}

/** True where a layout was finished: a half one is of no use. */
export function isLaidOut({ state }: LazyPlaces): boolean {
  return fs.existsSync(path.join(state, 'whole'));
}

class LazyContents implements RestoredContents {
  readonly #options: ContentsOptions;
  readonly #writer: BlockListWriter;

  constructor(options: ContentsOptions, writer: BlockListWriter) {
    this.#options = options;
    this.#writer = writer;
  }

  async add(file: Buffer, relative: string, node: TreeNode): Promise<void> {
    const { report, applyMetadata, entryFailed } = this.#options;
    try {
      const ids = node.content ?? Buffer.alloc(0);
      const lengths = this.#lengthsOf(ids);
      if (!lengths) {
        report.problem(
          relative,
          'a part of its content is in no index of the repository: left out',
        );
        return;
      }
      const stat = makeSparse(
        file,
        lengths.reduce((sum, length) => sum + length, 0),
      );
      if (ids.length > 0) this.#writer.add(stat, ids, lengths);
      report.metadataFailures(relative, applyMetadata(file, node));
      report.files += 1;
    } catch (error) {
      entryFailed(relative, error);
    }
  }

  async flush(): Promise<void> {
    // Every file is complete when it was added.
  }

  close(): void {
    // Nothing is open between files.
  }

  #lengthsOf(ids: Buffer): number[] | undefined {
    const { index } = this.#options.repository;
    const lengths: number[] = [];
    for (let at = 0; at < ids.length; at += ID_BYTES) {
      const length = index.lookup('data', ids, at)?.plainLength;
      if (length === undefined) return undefined;
      lengths.push(length);
    }
    return lengths;
  }
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
