import type { CaptureEvent } from '../../source.ts';
import { CONFIG_FOLDER } from '../facts.ts';
import { bytesOf, latin1Of } from '../latin1.ts';
import type { ConfigFiles } from './config-files.ts';
import type { GivenFolders } from './given-folders.ts';
import { madeFile, type Owner } from './made-entries.ts';

/** The configuration of a server as events: what lies outside its data directory, and what a link in there leads to. */
export class ConfigEvents {
  readonly #config: ConfigFiles;
  readonly #folders: GivenFolders;
  readonly #chunkSizeBytes: number;
  /** Of the data directory, and not given yet. */
  readonly #inside: Map<string, Buffer | undefined>;

  constructor(config: ConfigFiles, folders: GivenFolders, chunkSizeBytes: number) {
    this.#config = config;
    this.#folders = folders;
    this.#chunkSizeBytes = chunkSizeBytes;
    this.#inside = new Map(config.inside.map(({ path, content }) => [latin1Of(path), content]));
  }

  /** A file of the data directory was given as it is. */
  saw(path: string): void {
    this.#inside.delete(path);
  }

  *outside(owner: Owner): Generator<CaptureEvent> {
    const { files, unreadable, grant } = this.#config;
    for (const { absolutePath, content } of files) {
      yield* this.#file(latin1Of(CONFIG_FOLDER + absolutePath), content, owner);
    }
    for (const file of unreadable) {
      yield unreadableConfig(latin1Of(CONFIG_FOLDER + file), file, grant);
    }
  }

  /** After all files: links to files elsewhere, which a base backup leaves out, as files in their place. */
  *linked(owner: Owner): Generator<CaptureEvent> {
    for (const [path, content] of this.#inside) {
      if (content === undefined) yield unreadableConfig(path, path, this.#config.grant);
      else yield* this.#file(path, content, owner);
    }
  }

  *#file(path: string, content: Buffer, owner: Owner): Generator<CaptureEvent> {
    yield* this.#folders.above(path, owner);
    yield madeFile(path, [content], owner, this.#chunkSizeBytes);
  }
}

function unreadableConfig(path: string, file: string, grant: string): CaptureEvent {
  const what = `${file} on the server can't be read: ${grant}`;
  return { kind: 'problem', path: bytesOf(path), what };
}
