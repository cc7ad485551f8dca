/**
 * Which tree a folder with these very entries had in the snapshot before, noted on this machine. Of a folder whose
 * entries are all as they were, neither its tree is read then nor anything of it held against that.
 */
import { hash } from 'node:crypto';
import { groupName, lookedUpNames, userName } from '#base';
import type { Repository } from '#repository';

/** What a folder holds itself, not what is below it. `tree`: hex id. */
export type RememberedFolder = { tree: string; files: number; folders: number; bytes: number };

/** To be changed where trees come to tell of the same entries in another way. */
const VERSION = 1;
const LENGTH_BYTES = 4;
const ID_BYTES = 32;
/** Places in a record: it begins with the fingerprint. */
const TREE = 32;
const FILES = 64;
const FOLDERS = 68;
const BYTES = 72;
const RECORD_BYTES = 80;
const BLOCK_RECORDS = 4096;
/** Bounds the memory of both at some 40 MiB; what is beyond is looked up in trees. */
const MOST_FOLDERS = 250_000;
/** Below this, trees are read as quickly. */
const LEAST_FOLDERS = 200;

type Notes = Pick<Repository, 'notes' | 'indexFileIds'>;

type Header = {
  version: number;
  snapshot: string;
  /** The blobs of all trees, and what these need, are in these index files. */
  indexFiles: string[];
  users: [number, string][];
  groups: [number, string][];
};

export class RememberedFolders {
  readonly #indexFiles: readonly string[];
  readonly #records: Buffer;
  /** Numbers of records plus one, at the place that the first bytes of the fingerprint name or behind it. */
  readonly #slots: Int32Array;

  private constructor(indexFiles: readonly string[], records: Buffer) {
    this.#indexFiles = indexFiles;
    this.#records = records;
    const count = records.length / RECORD_BYTES;
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * count + 1)));
    for (let record = 0; record < count; record += 1) {
      let slot = this.#slotOf(records, record * RECORD_BYTES);
      while (this.#slots[slot] !== 0) slot = (slot + 1) % this.#slots.length;
      this.#slots[slot] = record + 1;
    }
  }

  /** What `note` says of that snapshot; undefined where it speaks of another, or owners have other names since. */
  static of(note: Buffer, snapshot: string): RememberedFolders | undefined {
    const headerBytes = note.readUInt32LE(0);
    const recordsAt = LENGTH_BYTES + headerBytes;
    const header = JSON.parse(note.toString('utf8', LENGTH_BYTES, recordsAt)) as Header;
    if (header.version !== VERSION || header.snapshot !== snapshot) return undefined;
    const isNamedSo =
      header.users.every(([uid, name]) => userName(uid) === name) &&
      header.groups.every(([gid, name]) => groupName(gid) === name);
    return isNamedSo
      ? new RememberedFolders(header.indexFiles, note.subarray(recordsAt))
      : undefined;
  }

  /** False where blobs of these trees may have been taken away since. */
  isStoredIn({ indexFileIds }: Notes): boolean {
    return this.#indexFiles.every((id) => indexFileIds.has(id));
  }

  find(fingerprint: Buffer): RememberedFolder | undefined {
    let slot = this.#slotOf(fingerprint, 0);
    for (let number = this.#slots[slot]; number; number = this.#slots[slot]) {
      const at = (number - 1) * RECORD_BYTES;
      if (this.#records.compare(fingerprint, 0, ID_BYTES, at, at + ID_BYTES) === 0) {
        return this.#folderAt(at);
      }
      slot = (slot + 1) % this.#slots.length;
    }
    return undefined;
  }

  #slotOf(bytes: Buffer, at: number): number {
    return bytes.readUInt32LE(at) % this.#slots.length;
  }

  #folderAt(at: number): RememberedFolder {
    return {
      tree: this.#records.toString('hex', at + TREE, at + TREE + ID_BYTES),
      files: this.#records.readUInt32LE(at + FILES),
      folders: this.#records.readUInt32LE(at + FOLDERS),
      bytes: this.#records.readDoubleLE(at + BYTES),
    };
  }
}

/** What the next capture of the same is to know. */
export class FoldersToRemember {
  /** ms since 1970. */
  readonly startedAtMs: number;
  readonly #blocks: Buffer[] = [];
  #count = 0;

  /** `startedAtMs`: when the capture began, as the next one will know it. */
  constructor(startedAtMs: number) {
    this.startedAtMs = startedAtMs;
  }

  /** Only where everything in it was captured, and nothing changed so lately that it may change again unseen. */
  add(fingerprint: Buffer, { tree, files, folders, bytes }: RememberedFolder): void {
    if (this.#count === MOST_FOLDERS) return;
    const at = (this.#count % BLOCK_RECORDS) * RECORD_BYTES;
    if (at === 0) this.#blocks.push(Buffer.alloc(BLOCK_RECORDS * RECORD_BYTES));
    const block = this.#blocks.at(-1) as Buffer;
    block.set(fingerprint, at);
    block.write(tree, at + TREE, 'hex');
    block.writeUInt32LE(files, at + FILES);
    block.writeUInt32LE(folders, at + FOLDERS);
    block.writeDoubleLE(bytes, at + BYTES);
    this.#count += 1;
  }

  /** For `RememberedFolders.of`. `snapshot`: the hex id of what was captured. */
  note(snapshot: string, indexFiles: Iterable<string>): Buffer[] {
    const header: Header = {
      version: VERSION,
      snapshot,
      indexFiles: [...indexFiles],
      ...lookedUpNames(),
    };
    const text = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(text.length);
    const last = (this.#count % BLOCK_RECORDS || BLOCK_RECORDS) * RECORD_BYTES;
    const blocks = this.#blocks.map((block, number) =>
      number === this.#blocks.length - 1 ? block.subarray(0, last) : block,
    );
    return [length, text, ...blocks];
  }

  get isWorthKeeping(): boolean {
    return this.#count >= LEAST_FOLDERS;
  }
}

/** Of the capture of these paths on that host before, whose snapshot has this id. */
export async function recallFolders(
  { notes }: Notes,
  paths: readonly string[],
  host: string,
  snapshot: string,
): Promise<RememberedFolders | undefined> {
  const note = await notes?.read(noteName(paths, host));
  return note && RememberedFolders.of(note, snapshot);
}

/** Only once all of it is durable. Where it can't be kept, nothing is said. */
export async function rememberFolders(
  { notes, indexFileIds }: Notes,
  paths: readonly string[],
  host: string,
  snapshot: string,
  folders: FoldersToRemember,
): Promise<void> {
  if (!notes || !folders.isWorthKeeping) return;
  await notes.write(noteName(paths, host), folders.note(snapshot, indexFileIds));
}

/** One for each set of paths: the next capture of it writes it anew. */
function noteName(paths: readonly string[], host: string): string {
  return `folders-${hash('sha256', JSON.stringify([host, ...paths])).slice(0, ID_BYTES)}`;
}
