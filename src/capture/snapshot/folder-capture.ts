/**
 * Whole folders, held against what the capture before says of them. What is the same to the last byte is taken over
 * unread; all else goes the way of single entries.
 */
import { type EntryTable, type FileMetadata, HoldfastError } from '#base';
import {
  entryText,
  type KnownNode,
  type KnownTree,
  nodeText,
  type Repository,
  type SavedFile,
  wholeText,
} from '#repository';
import { describeFailure } from '#sources/files';
import type { Problems } from '../problems.ts';
import { type FileContents, trustedBeforeMs } from './contents.ts';
import { type Directory, nodeOf, parentPath, pathIn, type WholeDirectory } from './directory.ts';
import { changedMs, FolderParts } from './folder-parts.ts';
import type { PreviousFolders } from './previous-folders.ts';
import type { FoldersToRemember, RememberedFolders } from './remembered-folders.ts';
import type { TreeBuilder } from './tree-builder.ts';

export type FolderCaptureOptions = {
  repository: Pick<Repository, 'index'>;
  builder: TreeBuilder;
  contents: FileContents;
  problems: Problems;
  previous?: {
    folders: PreviousFolders;
    startedAtMs: number;
    remembered: RememberedFolders | undefined;
  };
  remember: FoldersToRemember | undefined;
};

/** Less than a chunk as a rule: a worker reads some of them in a few milliseconds. */
const SMALL_BYTES = 512 * 1024;
/** As many as are worth a message of their own. */
const MOST_SMALL = 128;
const MOST_SMALL_BYTES = 4 * 1024 * 1024;

type FolderPart = { isPlain: boolean; isLast: boolean };

export class FolderCapture {
  readonly #options: FolderCaptureOptions;
  readonly #trustedBeforeMs: number;
  /** Of the folder that came last, and where they go unless they wait for those that follow. */
  #parts: FolderParts | undefined;
  #directory: Directory | undefined;
  #known: KnownTree | undefined;

  constructor(options: FolderCaptureOptions) {
    this.#options = options;
    this.#trustedBeforeMs = trustedBeforeMs(options.previous?.startedAtMs ?? 0);
  }

  /** One part of a folder; the parts come one after another. `isPlain` and `isLast` as the source's event has them. */
  async take(path: string, entries: EntryTable, told: FolderPart): Promise<void> {
    const { previous, remember } = this.#options;
    if (this.#parts?.path !== path) {
      this.#parts = new FolderParts(path, remember?.startedAtMs ?? 0);
      this.#directory = undefined;
    }
    const parts = this.#parts;
    const isNoted = remember !== undefined || previous?.remembered !== undefined;
    parts.add(entries, isNoted && told.isPlain);
    if (!this.#directory && previous?.remembered && parts.mayBeHeld) {
      if (!told.isLast || this.#takeWhole(parts)) return;
    }
    const directory = this.#directory ?? (await this.#begin(path));
    for (const held of parts.takeHeld()) {
      if (remember) parts.count(held);
      await this.#takeEach(directory, held);
    }
    if (told.isLast && remember) directory.remember = parts.remember;
  }

  async #begin(path: string): Promise<Directory> {
    await this.isNotAsBefore(parentPath(path));
    return await this.#enter(path);
  }

  /**
   * Says that something in this folder is another: what was taken over as a whole from there upwards is held against what
   * it was, entry by entry.
   */
  async isNotAsBefore(path: string): Promise<void> {
    const { builder, previous } = this.#options;
    const wholes: { at: string; whole: WholeDirectory }[] = [];
    for (let at = path; ; at = parentPath(at)) {
      const whole = builder.wholeAt(at);
      if (whole) wholes.unshift({ at, whole });
      if (!whole || at === '') break;
    }
    for (const { at, whole } of wholes) {
      const { before, parts } = whole;
      this.#known = await previous?.folders.open(at, before.tree);
      const directory = builder.takeApart(at, this.#known);
      for (const entries of parts) await this.#takeEach(directory, entries);
    }
  }

  #takeWhole(parts: FolderParts): boolean {
    const { builder, previous, repository } = this.#options;
    const { path, fingerprint } = parts;
    const before = fingerprint && previous?.remembered?.find(fingerprint);
    if (!before || !repository.index.has('tree', Buffer.from(before.tree, 'hex'))) return false;
    previous?.folders.passOver(path);
    const directory = builder.enterWhole(path, { before, parts: parts.takeHeld() });
    directory.remember = { fingerprint, holds: before };
    return true;
  }

  async #takeEach(directory: Directory, entries: EntryTable): Promise<void> {
    let small: number[] = [];
    let smallBytes = 0;
    for (let entry = 0; entry < entries.length; entry += 1) {
      const same = this.#unchanged(entries, entry);
      if (same) this.#takeOver(directory, entries, entry, same);
      else if (this.#isNewAndSmall(entries, entry)) {
        directory.same.interrupt();
        small.push(entry);
        smallBytes += entries.sizeBytes(entry);
        if (small.length < MOST_SMALL && smallBytes < MOST_SMALL_BYTES) continue;
        await this.#captureSmall(directory, entries, small);
        small = [];
        smallBytes = 0;
      } else await this.#capture(directory, entries, entry);
    }
    if (small.length > 0) await this.#captureSmall(directory, entries, small);
  }

  async #enter(path: string): Promise<Directory> {
    this.#known = await this.#options.previous?.folders.open(path);
    this.#directory = this.#options.builder.enter(path, this.#known);
    return this.#directory;
  }

  #unchanged(entries: EntryTable, entry: number): KnownNode | undefined {
    if (!this.#known) return undefined;
    if (changedMs(entries, entry) >= this.#trustedBeforeMs) return undefined;
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

  /** A file that is read with others like it: of a first capture, nearly each. */
  #isNewAndSmall(entries: EntryTable, entry: number): boolean {
    return (
      entries.kind(entry) === 'file' &&
      entries.links(entry) === 1 &&
      entries.inodeFlags(entry) === 0 &&
      entries.sizeBytes(entry) < SMALL_BYTES &&
      !this.#known?.find(entries.names[entry] as string)
    );
  }

  async #captureSmall(
    directory: Directory,
    entries: EntryTable,
    small: readonly number[],
  ): Promise<void> {
    const { builder, contents } = this.#options;
    const taken = await contents.takeAll(directory.path, entries, small);
    builder.addLater(directory, taken.contents, (saved) => {
      for (const [place, file] of saved.entries()) {
        if (file) this.#addSmall(directory, entries, small[place] as number, file);
      }
    });
  }

  #addSmall(directory: Directory, entries: EntryTable, entry: number, file: SavedFile): void {
    const { builder, problems } = this.#options;
    const { ids, sizeBytes } = file;
    const name = entries.names[entry] as string;
    if (!file.mayHaveXattrs) {
      const bytes = Buffer.from(name, 'latin1');
      const text = wholeText(entryText(entries, entry), sizeBytes);
      // As text at once: its ids lie in the memory of many others.
      const node = { name: bytes, text: nodeText({ name: bytes, text, content: ids }) };
      builder.addSaved(directory, node, sizeBytes);
      return;
    }
    try {
      const node = nodeOf(name, entries.metadata(entry));
      const content = { content: Buffer.from(ids), sizeBytes: BigInt(sizeBytes) };
      builder.addSaved(directory, { ...node, ...content }, sizeBytes);
    } catch (error) {
      if (error instanceof HoldfastError) throw error;
      problems.add(pathIn(directory.path, name), describeFailure(error));
    }
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
