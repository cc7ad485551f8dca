/** From a source's events to one tree in the repository. */
import type { FileMetadata, ProgressListener } from '#base';
import { systemClock } from '#base';
import type { BlockMapWriter, Repository, RepositoryWriter } from '#repository';
import type { CaptureEvent } from '#sources';
import { Problems } from '../problems.ts';
import { FileContents } from './contents.ts';
import { parentPath } from './directory.ts';
import { FolderCapture } from './folder-capture.ts';
import { PreviousFolders } from './previous-folders.ts';
import { PreviousTree } from './previous-tree.ts';
import type { PreviousTrees } from './previous-trees.ts';
import { recentTrees } from './recent-trees.ts';
import type { FoldersToRemember, RememberedFolders } from './remembered-folders.ts';
import { Streams } from './streams.ts';
import { TreeBuilder, type TreeTotals } from './tree-builder.ts';

export type CaptureTreeOptions = {
  repository: Pick<Repository, 'readBlob' | 'readBlobs' | 'index' | 'snapshots'>;
  writer: RepositoryWriter;
  events: AsyncIterable<CaptureEvent>;
  /**
   * Tree of the capture before, and when that began (ms since 1970). `ahead`: where most of it will be held against the
   * source, and not only what a watcher names. `remembered`: of that very tree.
   */
  previous?: {
    tree: string;
    startedAtMs: number;
    ahead?: PreviousTrees;
    remembered?: RememberedFolders | undefined;
  };
  /** Gets what the next capture of the same may know again. */
  remember?: FoldersToRemember;
  /** Gets the files that came as streams with a fixed chunk size. */
  blockMap?: BlockMapWriter;
  progress?: ProgressListener;
  /** What the progress says. */
  step: string;
  expectedBytes?: number;
  signal: AbortSignal;
};

export type CapturedTree = {
  /** Hex id of the root. Not durable before the writer has finished. */
  tree: string;
  /** The root's own metadata, which a tree doesn't hold. */
  root: FileMetadata | undefined;
  /** Of what was visited: reused directories aren't counted. */
  totals: TreeTotals;
  reusedDirectories: number;
  problems: Problems;
  /** The fixed chunk size of streams, 0 where everything was cut by content. */
  chunkSizeBytes: number;
};

const PROGRESS_EVERY_MS = 200;
/**
 * Takes all events. Memory holds the directories that aren't complete yet. Rejects where the capture as a whole can't
 * be trusted; what couldn't be captured alone is in `problems`. The writer is left to the caller in both cases.
 */
export async function captureTree(options: CaptureTreeOptions): Promise<CapturedTree> {
  const run = new TreeCapture(options);
  for await (const event of options.events) {
    options.signal.throwIfAborted();
    await run.take(event);
  }
  return await run.finish();
}

class TreeCapture {
  readonly #options: CaptureTreeOptions;
  readonly #builder: TreeBuilder;
  readonly #problems: Problems;
  readonly #previous: PreviousTree | undefined;
  readonly #contents: FileContents;
  readonly #folders: FolderCapture;
  readonly #streams: Streams;
  #root: FileMetadata | undefined;
  #reused = 0;
  #doneBytes = 0;
  #doneItems = 0;
  #toldAtMs = 0;

  constructor(options: CaptureTreeOptions) {
    const { repository, writer, previous } = options;
    this.#options = options;
    this.#streams = new Streams({ ...options, onRead: (bytes) => this.#took(bytes) });
    const recent = recentTrees(repository);
    this.#builder = new TreeBuilder(writer, recent, options.remember);
    this.#problems = new Problems((path) => this.#builder.dontRemember(path));
    this.#previous = previous && new PreviousTree(recent, previous.tree);
    this.#contents = new FileContents({
      repository,
      writer,
      problems: this.#problems,
      ...(previous && { previousStartedAtMs: previous.startedAtMs }),
      onRead: (bytes) => this.#took(bytes),
    });
    const tree = this.#previous;
    this.#folders = new FolderCapture({
      repository,
      builder: this.#builder,
      contents: this.#contents,
      problems: this.#problems,
      remember: options.remember,
      ...(previous &&
        tree && {
          previous: {
            folders: new PreviousFolders({
              repository,
              recent,
              tree,
              ahead: previous.ahead,
            }),
            startedAtMs: previous.startedAtMs,
            remembered: previous.remembered,
          },
        }),
    });
  }

  async take(event: CaptureEvent): Promise<void> {
    const path = event.path.toString('latin1');
    switch (event.kind) {
      case 'entry':
        this.#doneItems += 1;
        await this.#entry(path, event);
        break;
      case 'folder':
        await this.#folders.take(path, event.entries, event);
        this.#doneItems += event.entries.length;
        break;
      case 'leave':
        this.#builder.leave(path);
        break;
      case 'reuse':
        await this.#reuse(path);
        break;
      case 'problem':
        this.#problems.add(path, event.what);
        await this.#folders.isNotAsBefore(parentPath(path));
        break;
    }
    this.#tell();
  }

  async #entry(path: string, event: CaptureEvent & { kind: 'entry' }): Promise<void> {
    const { metadata, content } = event;
    if (path === '') this.#root = metadata;
    if (metadata.kind === 'dir') this.#builder.addDirectory(path, metadata);
    else if (content.from === 'nothing') this.#builder.addEntry(path, metadata);
    else if (content.from === 'path') {
      const before = await this.#previous?.find(path);
      const taken = await this.#contents.take(path, content.absolutePath, metadata, before);
      this.#builder.addEntry(path, metadata, taken.content);
    } else {
      await this.#streams.take(path, metadata, content, (saved) =>
        this.#builder.addEntry(path, metadata, saved),
      );
    }
  }

  #took(bytes: number): void {
    this.#doneBytes += bytes;
    this.#tell();
  }

  async #reuse(path: string): Promise<void> {
    const node = await this.#previous?.find(path);
    if (node?.subtree === undefined) {
      this.#problems.add(path, 'was said to be unchanged, but is not in the capture before');
      return;
    }
    this.#reused += 1;
    this.#builder.addNode(path, node);
  }

  #tell(): void {
    const { progress, step, expectedBytes } = this.#options;
    const nowMs = systemClock.monotonicMs();
    if (!progress || nowMs - this.#toldAtMs < PROGRESS_EVERY_MS) return;
    this.#toldAtMs = nowMs;
    progress({
      step,
      doneBytes: this.#doneBytes,
      doneItems: this.#doneItems,
      // An estimate: what grew meanwhile, or wasn't counted, is no progress beyond the whole.
      ...(expectedBytes === undefined
        ? {}
        : { totalBytes: Math.max(expectedBytes, this.#doneBytes) }),
    });
  }

  async finish(): Promise<CapturedTree> {
    const tree = await unlessAborted(this.#builder.finish(), this.#options.signal);
    return {
      tree,
      root: this.#root,
      totals: this.#builder.totals,
      reusedDirectories: this.#reused,
      problems: this.#problems,
      chunkSizeBytes: this.#streams.chunkSizeBytes,
    };
  }
}

/** A file that is read for hours must not keep an interruption waiting. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
