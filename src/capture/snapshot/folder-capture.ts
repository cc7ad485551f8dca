/**
 * Whole folders, held against what the capture before says of them. What is the same to the last byte is taken over
 * unread; all else goes the way of single entries.
 */
import { type EntryTable, type FileMetadata, HoldfastError } from '#base';
import { entryText, type KnownNode, type KnownTree, type Repository, wholeText } from '#repository';
import { describeFailure } from '#sources/files';
import type { Problems } from '../problems.ts';
import { type FileContents, trustedBeforeMs } from './contents.ts';
import type { PreviousFolders } from './previous-folders.ts';
import { type Directory, pathIn, type TreeBuilder } from './tree-builder.ts';

export type FolderCaptureOptions = {
  repository: Pick<Repository, 'index'>;
  builder: TreeBuilder;
  contents: FileContents;
  problems: Problems;
  previous?: { folders: PreviousFolders; startedAtMs: number };
};

export class FolderCapture {
  readonly #options: FolderCaptureOptions;
  readonly #trustedBeforeMs: number;
  #directory: Directory | undefined;
  #known: KnownTree | undefined;

  constructor(options: FolderCaptureOptions) {
    this.#options = options;
    this.#trustedBeforeMs = trustedBeforeMs(options.previous?.startedAtMs ?? 0);
  }

  /** One part of a folder; the parts come one after another. */
  async take(path: string, entries: EntryTable): Promise<void> {
    const directory = this.#directory?.path === path ? this.#directory : await this.#enter(path);
    for (let entry = 0; entry < entries.length; entry += 1) {
      const same = this.#unchanged(entries, entry);
      if (same) this.#takeOver(directory, entries, entry, same);
      else await this.#capture(directory, entries, entry);
    }
  }

  async #enter(path: string): Promise<Directory> {
    this.#known = await this.#options.previous?.folders.open(path);
    this.#directory = this.#options.builder.enter(path, this.#known);
    return this.#directory;
  }

  #unchanged(entries: EntryTable, entry: number): KnownNode | undefined {
    if (!this.#known) return undefined;
    const changedMs = entries.ctimeSeconds(entry) * 1000 + entries.ctimeNanoseconds(entry) / 1e6;
    if (changedMs >= this.#trustedBeforeMs) return undefined;
    const sizeBytes = entries.kind(entry) === 'file' ? entries.sizeBytes(entry) : 0;
    const text = wholeText(entryText(entries, entry), sizeBytes);
    const node = this.#known.take(entries.names[entry] as string, text);
    return node && this.#isStored(node) ? node : undefined;
  }

  #isStored({ content }: KnownNode): boolean {
    const { index } = this.#options.repository;
    for (let at = 0; content && at < content.length; at += 32) {
      if (!index.has('data', content, at)) return false;
    }
    return true;
  }

  #takeOver(directory: Directory, entries: EntryTable, entry: number, node: KnownNode): void {
    const { builder, previous } = this.#options;
    const name = entries.names[entry] as string;
    if (node.subtree !== undefined) {
      previous?.folders.expect(pathIn(directory.path, name), node.subtree);
    }
    const kind = entries.kind(entry);
    builder.addKnown(directory, { name, kind, sizeBytes: entries.sizeBytes(entry), node });
  }

  async #capture(directory: Directory, entries: EntryTable, entry: number): Promise<void> {
    const { builder, contents, problems, previous } = this.#options;
    const name = entries.names[entry] as string;
    const path = pathIn(directory.path, name);
    let metadata: FileMetadata;
    try {
      metadata = entries.metadata(entry);
    } catch (error) {
      if (error instanceof HoldfastError) throw error;
      problems.add(path, describeFailure(error));
      return;
    }
    const before = this.#known?.find(name)?.node;
    if (metadata.kind === 'dir') {
      if (before?.subtree !== undefined) previous?.folders.expect(path, before.subtree);
      builder.addDirectory(path, metadata);
    } else if (metadata.kind === 'file') {
      const taken = await contents.take(path, entries.path(entry), metadata, before);
      // Attributes come behind what the text tells.
      if (metadata.xattrs.length > 0) builder.addEntry(path, metadata, taken.content);
      else builder.addFile(directory, name, entryText(entries, entry), taken.content);
    } else builder.addEntry(path, metadata);
  }
}
