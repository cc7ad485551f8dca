/**
 * The folder that a restore writes into, held open: every entry is reached from there by names that aren't followed, so
 * that nothing is written elsewhere, whatever others who may write in it put in the place of a folder meanwhile.
 */
import fs from 'node:fs';
import {
  type ApplyOptions,
  allowChanges,
  applyMetadata,
  applyMetadataThere,
  canOpenBeneath,
  type ExtendedAttribute,
  type FileMetadata,
  kindOf,
  type MetadataFailure,
  O_PATH,
  openBeneath,
  pathOfOpen,
  setInodeFlags,
} from '#base';
import { joinPath } from './paths.ts';

const MAX_OPEN_FOLDERS = 64;
const { O_DIRECTORY = 0, O_NOFOLLOW = 0 } = fs.constants;

/** Relative paths are as `joinRelative` makes them. All methods throw system errors. */
export class TargetFolder {
  readonly #path: Buffer;
  /** By relative path, least recently used first. */
  readonly #open = new Map<string, number>();
  /** Undefined where the system can't reach entries from an open folder: they are reached by their paths then. */
  readonly descriptor: number | undefined;

  constructor(path: Buffer) {
    this.#path = path;
    if (canOpenBeneath()) {
      this.descriptor = fs.openSync(path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
    }
  }

  /** Where the entry is meant to lie, by name: others may have put something else there. */
  path(relative: string): Buffer {
    return relative === '' ? this.#path : joinPath(this.#path, Buffer.from(relative, 'latin1'));
  }

  /** A path to the folder, for calls that are made at once. */
  folder(relative: string): Buffer {
    if (this.descriptor === undefined) return this.path(relative);
    const descriptor = relative === '' ? this.descriptor : this.#opened(this.descriptor, relative);
    return joinPath(pathOfOpen(descriptor), DOT);
  }

  /** A path to an entry that may not be there, for calls that are made at once and follow no link. */
  entry(relative: string): Buffer {
    const slash = relative.lastIndexOf('/');
    const folder = this.folder(relative.slice(0, Math.max(0, slash)));
    return joinPath(folder, Buffer.from(relative.slice(slash + 1), 'latin1'));
  }

  /** Everything but content, for whatever kind of entry; ESTALE where another one took its place. */
  applyMetadata(
    relative: string,
    metadata: FileMetadata,
    options: ApplyOptions,
  ): MetadataFailure[] {
    if (this.descriptor === undefined) {
      return applyMetadata(this.path(relative), metadata, options);
    }
    const name = Buffer.from(relative, 'latin1');
    const entry = openBeneath(this.descriptor, name, O_PATH);
    try {
      const { mode, nlink } = fs.fstatSync(entry);
      const isOther = kindOf(mode) !== metadata.kind || (metadata.kind !== 'dir' && nlink !== 1);
      if (isOther) throw replaced(relative);
      return applyMetadataThere(entry, metadata, options);
    } finally {
      fs.closeSync(entry);
    }
  }

  /** Takes away what keeps an entry that is there from being changed. */
  allowChanges(relative: string): void {
    const entry = this.entry(relative);
    if (fs.lstatSync(entry, { throwIfNoEntry: false })) allowChanges(entry);
  }

  setFlags(relative: string, flags: ExtendedAttribute): void {
    setInodeFlags(this.entry(relative), flags);
  }

  close(): void {
    for (const descriptor of this.#open.values()) fs.closeSync(descriptor);
    this.#open.clear();
    if (this.descriptor !== undefined) fs.closeSync(this.descriptor);
  }

  #opened(root: number, relative: string): number {
    let descriptor = this.#open.get(relative);
    if (descriptor === undefined) {
      const [oldest] = this.#open;
      if (this.#open.size >= MAX_OPEN_FOLDERS && oldest) {
        this.#open.delete(oldest[0]);
        fs.closeSync(oldest[1]);
      }
      descriptor = openBeneath(root, Buffer.from(relative, 'latin1'), O_PATH | O_DIRECTORY);
    } else this.#open.delete(relative);
    this.#open.set(relative, descriptor);
    return descriptor;
  }
}

const DOT = Buffer.from('.');

function replaced(relative: string): NodeJS.ErrnoException {
  return Object.assign(new Error('ESTALE: something else took its place while it was restored'), {
    code: 'ESTALE',
    syscall: 'open',
    path: relative,
  });
}

/** For people: system errors name entries by descriptors that mean nothing to them. */
export function withoutDescriptors(message: string): string {
  return message.replaceAll(/\/proc\/self\/fd\/\d+(\/\.)?\/?/g, '');
}
