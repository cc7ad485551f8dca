/** Contents that don't lie still on this host: streams, blocks, and files that others write to meanwhile. */
import type { FileMetadata } from '#base';
import type { BlockMapWriter, Repository, RepositoryWriter, SavedContent } from '#repository';
import type { ContentBlock, EntryContent } from '#sources';
import { GiveWay } from '../precedence.ts';
import { saveBlocks } from './save-blocks.ts';

type LiveContent = Extract<EntryContent, { from: 'live' }>;
type StreamedContent = Extract<EntryContent, { from: 'stream' | 'blocks' }>;

export type StreamsOptions = {
  repository: Pick<Repository, 'index'>;
  writer: Pick<RepositoryWriter, 'saveStream' | 'saveLiveFile'>;
  /** Gets the files that were cut at a fixed chunk size. */
  blockMap?: BlockMapWriter;
  signal: AbortSignal;
  onRead: (bytes: number) => void;
};

/** Streams whose bytes were taken and are being hashed, compressed and stored. */
const MAX_STREAMS = 32;
/** Enough for workers to take small files many at once; what waits here is a path. */
const MAX_LIVE_FILES = 512;

/** What is taken over costs nothing. */
const bytesHere = (block: ContentBlock) => (block.from === 'here' ? block.bytes.length : 0);

export class Streams {
  readonly #options: StreamsOptions;
  readonly #giveWay: GiveWay;
  #inFlight = 0;
  #wake: (() => void) | undefined;
  #failure: { error: unknown } | undefined;
  #chunkSizeBytes = 0;

  constructor(options: StreamsOptions) {
    this.#options = options;
    this.#giveWay = new GiveWay(options.repository, options.signal);
  }

  /** The fixed chunk size of what was taken, 0 where everything was cut by content. */
  get chunkSizeBytes(): number {
    return this.#chunkSizeBytes;
  }

  /**
   * Resolves when the source may go on. `begun` gets what will be saved; undefined where the content is gone. Rejects with
   * the first failure, also of one that was taken before.
   */
  async take(
    path: string,
    metadata: FileMetadata,
    content: LiveContent | StreamedContent,
    begun: (saved: Promise<SavedContent | undefined>) => void,
  ): Promise<void> {
    const isLive = content.from === 'live';
    await this.#room(isLive ? MAX_LIVE_FILES : MAX_STREAMS);
    const consumed = Promise.withResolvers<void>();
    const saving = isLive
      ? this.#saveLive(path, Number(metadata.sizeBytes), content, consumed.resolve)
      : this.#saveStream(path, content, consumed.resolve);
    this.#inFlight += 1;
    const ended = saving
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .then(() => {
        this.#inFlight -= 1;
        this.#wake?.();
      });
    begun(saving);
    // The source goes on as soon as its bytes are taken: thousands of small files needn't wait for each other.
    await Promise.race([consumed.promise, ended]);
    if (this.#failure) throw this.#failure.error;
  }

  async #room(atOnce: number): Promise<void> {
    while (this.#inFlight >= atOnce) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async #saveStream(
    path: string,
    content: StreamedContent,
    consumed: () => void,
  ): Promise<SavedContent> {
    const { writer, repository } = this.#options;
    const { chunkSizeBytes } = content;
    const saved =
      content.from === 'blocks'
        ? await saveBlocks(
            repository,
            writer,
            this.#counted(content.blocks, consumed, bytesHere),
            chunkSizeBytes,
          )
        : await writer.saveStream(
            this.#counted(content.bytes, consumed, ({ length }) => length),
            chunkSizeBytes > 0
              ? { kind: 'fixed', sizeBytes: chunkSizeBytes, compression: 'pages' }
              : { kind: 'content' },
          );
    if (chunkSizeBytes > 0) await this.#inBlocks(path, saved, chunkSizeBytes);
    return saved;
  }

  async #saveLive(
    path: string,
    sizeBytes: number,
    { absolutePath, chunkSizeBytes, check, ended }: LiveContent,
    taken: () => void,
  ): Promise<SavedContent | undefined> {
    const file = { path: absolutePath, sizeBytes, chunkBytes: chunkSizeBytes };
    const saved = await this.#options.writer
      .saveLiveFile(
        { ...file, ...(check && { check }) },
        { taken, mayGoOn: (bytes) => this.#mayGoOn(bytes) },
      )
      .catch((error: unknown) => {
        ended({ kind: 'failed', error });
        throw error;
      });
    ended(saved ? { kind: 'read', wrong: saved.wrong } : { kind: 'gone' });
    if (saved) await this.#inBlocks(path, saved, chunkSizeBytes);
    return saved;
  }

  #mayGoOn(bytes: number): Promise<void> | undefined {
    const { signal, onRead } = this.#options;
    signal.throwIfAborted();
    onRead(bytes);
    return this.#giveWay.after(bytes);
  }

  /** For whoever reads single blocks of it later. */
  async #inBlocks(
    path: string,
    { sizeBytes, ids }: SavedContent,
    chunkSizeBytes: number,
  ): Promise<void> {
    this.#chunkSizeBytes = Math.max(this.#chunkSizeBytes, chunkSizeBytes);
    const name = Buffer.from(path, 'latin1');
    await this.#options.blockMap?.add(name, BigInt(sizeBytes), chunkSizeBytes, ids);
  }

  async *#counted<T>(
    parts: AsyncIterable<T>,
    consumed: () => void,
    lengthOf: (part: T) => number,
  ): AsyncGenerator<T> {
    const { signal, onRead } = this.#options;
    for await (const part of parts) {
      signal.throwIfAborted();
      const length = lengthOf(part);
      onRead(length);
      yield part;
      const way = this.#giveWay.after(length);
      if (way) await way;
    }
    consumed();
  }
}
