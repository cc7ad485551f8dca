/** The contents of files on this host: taken over where nothing changed, read once where names share an inode. */
import { type EntryTable, type FileMetadata, systemCode } from '#base';
import type {
  FailedFile,
  FileToSave,
  Repository,
  RepositoryWriter,
  SavedFile,
  TreeNode,
} from '#repository';
import { describeFailure } from '#sources/files';
import type { Problems } from '../problems.ts';
import { pathIn } from './directory.ts';

const NS_PER_S = 1_000_000_000n;

export type Content = { ids: Buffer; sizeBytes: number };

/** Enough to keep all workers busy with small files; what waits here is a path and a number. */
const MAX_IN_FLIGHT = 512;

/**
 * A file that changed so shortly before the previous capture began may have changed again within the same tick of the
 * file system's clock, after it was read: it is read again.
 */
const TICK_MARGIN_MS = 2_000;

/** What changed from then on (ms since 1970) is read again, by when the capture before began. */
export function trustedBeforeMs(startedAtMs: number): number {
  return Math.floor(startedAtMs) - TICK_MARGIN_MS;
}

export type ContentsOptions = {
  repository: Pick<Repository, 'index'>;
  writer: Pick<RepositoryWriter, 'saveFile' | 'saveFiles'>;
  problems: Problems;
  /** When the capture before began, ms since 1970. */
  previousStartedAtMs?: number;
  onRead: (bytes: number) => void;
};

export class FileContents {
  readonly #options: ContentsOptions;
  readonly #trustedBeforeNs: bigint;
  readonly #linked = new Map<string, { content: Promise<Content | undefined>; seen: bigint }>();
  #inFlight = 0;
  #wake: (() => void) | undefined;
  #failure: { error: unknown } | undefined;

  constructor(options: ContentsOptions) {
    this.#options = options;
    const startedAtMs = options.previousStartedAtMs ?? 0;
    this.#trustedBeforeNs = BigInt(trustedBeforeMs(startedAtMs)) * 1_000_000n;
  }

  /**
   * The returned promise resolves to undefined where the file couldn't be read: that is noted as a problem. It rejects
   * where the whole capture must end. `before`: what the capture before says of the path, where that is known.
   */
  async take(
    path: string,
    absolutePath: Buffer,
    metadata: FileMetadata,
    before?: TreeNode,
  ): Promise<{ content: Promise<Content | undefined> }> {
    const known = this.#unchanged(metadata, before);
    if (known) return { content: Promise.resolve(known) };
    const key = `${metadata.deviceId}:${metadata.inode}`;
    const linked = metadata.links > 1n ? this.#linked.get(key) : undefined;
    if (linked) {
      linked.seen += 1n;
      if (linked.seen >= metadata.links) this.#linked.delete(key);
      const content = linked.content.then(
        (first) => first ?? this.#read(path, absolutePath, metadata),
      );
      return { content };
    }
    await this.#room();
    const content = this.#read(path, absolutePath, metadata);
    if (metadata.links > 1n) this.#linked.set(key, { content, seen: 1n });
    return { content };
  }

  /**
   * The same for files of one folder that are small, that nothing is known of and that have no other names: one for each
   * of `chosen`, in their order, undefined for those that couldn't be read. What it gives isn't to be kept.
   */
  async takeAll(
    folder: string,
    entries: EntryTable,
    chosen: readonly number[],
  ): Promise<{ contents: Promise<(SavedFile | undefined)[]> }> {
    await this.#room();
    return { contents: this.#readAll(folder, entries, chosen) };
  }

  #unchanged(metadata: FileMetadata, node: TreeNode | undefined): Content | undefined {
    const { repository } = this.#options;
    if (!node?.content || !sameFile(node, metadata)) return undefined;
    if (metadata.ctimeNs >= this.#trustedBeforeNs) return undefined;
    for (let at = 0; at < node.content.length; at += 32)
      if (!repository.index.has('data', node.content, at)) return undefined;
    return { ids: node.content, sizeBytes: Number(node.sizeBytes) };
  }

  async #room(): Promise<void> {
    while (this.#inFlight >= MAX_IN_FLIGHT && !this.#failure)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#failure) throw this.#failure.error;
  }

  async #read(
    path: string,
    absolutePath: Buffer,
    metadata: FileMetadata,
  ): Promise<Content | undefined> {
    const { writer, problems, onRead } = this.#options;
    this.#inFlight += 1;
    try {
      const { sizeBytes, mtimeNs } = metadata;
      let told = 0;
      const onSaved = (bytes: number) => {
        told += bytes;
        onRead(bytes);
      };
      const mtimeMs = milliseconds(mtimeNs);
      const saved = await writer.saveFile(absolutePath, Number(sizeBytes), mtimeMs, onSaved);
      onRead(saved.sizeBytes - told);
      if (saved.isChanged) problems.add(path, CHANGED);
      return saved;
    } catch (error) {
      this.#giveUp(path, error);
      return undefined;
    } finally {
      this.#inFlight -= 1;
      this.#wake?.();
    }
  }

  async #readAll(
    folder: string,
    entries: EntryTable,
    chosen: readonly number[],
  ): Promise<(SavedFile | undefined)[]> {
    const { writer, onRead } = this.#options;
    this.#inFlight += chosen.length;
    try {
      const saved = await writer.saveFiles(filesOf(entries, chosen));
      const contents = saved.map((file, place) => {
        const entry = chosen[place] as number;
        return this.#readOf(file, () => pathIn(folder, entries.names[entry] as string));
      });
      onRead(contents.reduce((sum, file) => sum + (file?.sizeBytes ?? 0), 0));
      return contents;
    } catch (error) {
      this.#failure ??= { error };
      throw error;
    } finally {
      this.#inFlight -= chosen.length;
      this.#wake?.();
    }
  }

  #readOf(file: SavedFile | FailedFile, path: () => string): SavedFile | undefined {
    if ('failure' in file) {
      this.#giveUp(path(), file.failure);
      return undefined;
    }
    if (file.isChanged) this.#options.problems.add(path(), CHANGED);
    return file;
  }

  /** Rejects where the whole capture must end. */
  #giveUp(path: string, error: unknown): void {
    if (isFatal(error)) {
      this.#failure = { error };
      throw error;
    }
    this.#options.problems.add(path, describeFailure(error));
  }
}

const CHANGED = 'changed while it was captured';

function filesOf(entries: EntryTable, chosen: readonly number[]): FileToSave[] {
  const folder = `${entries.folder.toString('latin1')}/`;
  return chosen.map((entry) => ({
    path: folder + entries.names[entry],
    sizeBytes: entries.sizeBytes(entry),
    mtimeMs: entries.mtimeSeconds(entry) * 1000 + entries.mtimeNanoseconds(entry) / 1e6,
  }));
}

/** Where the operating system refused this one file, the others go on. */
function isFatal(error: unknown): boolean {
  const code = systemCode(error);
  return code === undefined || !/^E[A-Z0-9]+$/.test(code);
}

function sameFile(node: TreeNode, metadata: FileMetadata): boolean {
  return (
    node.kind === 'file' &&
    node.sizeBytes === metadata.sizeBytes &&
    node.mtimeNs === metadata.mtimeNs &&
    node.ctimeNs === metadata.ctimeNs &&
    node.inode === metadata.inode
  );
}

/** As Node's `Stats` have it. */
function milliseconds(ns: bigint): number {
  const nanoseconds = ((ns % NS_PER_S) + NS_PER_S) % NS_PER_S;
  return Number((ns - nanoseconds) / NS_PER_S) * 1000 + Number(nanoseconds) / 1e6;
}
