/**
 * The files of a plan, from thread to thread: numbers lie in typed arrays and paths in one buffer, because most files of
 * a large tree are small, and an object for each on both sides takes longer than writing them.
 */
import type { AppliedMetadata, ExtendedAttribute } from '#base';

/**
 * `create`: it must not be there. `write`: an empty or partly written one is. `update`: an older one is there, of which
 * only what differs is written.
 */
type HowPlaced = 'create' | 'write' | 'update';

/** What a file gets that comes whole in one plan. */
type FinishedFile = { sizeBytes: number; metadata: AppliedMetadata };

export type PackedFiles = {
  paths: Uint8Array<ArrayBuffer>;
  /** See `FILE_NUMBERS`. */
  numbers: Float64Array<ArrayBuffer>;
  /** Access and modification time of each file. */
  times: BigInt64Array<ArrayBuffer>;
  xattrs: Map<number, ExtendedAttribute[]>;
};

const HOW: readonly HowPlaced[] = ['create', 'write', 'update'];
/** End of its path in `paths`, how, whether to finish, size, permissions, owner, group. */
const FILE_NUMBERS = 7;

/** They are known by their numbers: the order in which they are added. */
export class PlannedFiles {
  readonly #paths: string[] = [];
  readonly #numbers: number[] = [];
  readonly #times: bigint[] = [];
  readonly #xattrs: PackedFiles['xattrs'] = new Map();
  #pathBytes = 0;

  /** `path`: a character for each byte (latin1); absolute, or below the plan's `root`. Nothing is followed there. */
  add(path: string, how: HowPlaced, finish?: FinishedFile): void {
    this.#pathBytes += path.length;
    const number = this.#paths.push(path) - 1;
    if (!finish) {
      this.#numbers.push(this.#pathBytes, HOW.indexOf(how), 0, 0, 0, 0, 0);
      this.#times.push(0n, 0n);
      return;
    }
    const { sizeBytes, metadata } = finish;
    const { permissions, uid, gid, atimeNs, mtimeNs, xattrs } = metadata;
    this.#numbers.push(this.#pathBytes, HOW.indexOf(how), 1, sizeBytes, permissions, uid, gid);
    this.#times.push(atimeNs, mtimeNs);
    if (xattrs.length > 0) this.#xattrs.set(number, xattrs);
  }

  /** In memory of its own, which may go to another thread. */
  pack(): PackedFiles {
    const paths = new Uint8Array(this.#pathBytes);
    Buffer.from(paths.buffer).write(this.#paths.join(''), 'latin1');
    const numbers = new Float64Array(this.#numbers);
    return { paths, numbers, times: new BigInt64Array(this.#times), xattrs: this.#xattrs };
  }
}

/** The same, read by number. */
export class ListedFiles {
  readonly #paths: Buffer;
  readonly #packed: PackedFiles;
  readonly count: number;

  constructor(packed: PackedFiles) {
    const { buffer, byteOffset, length } = packed.paths;
    this.#paths = Buffer.from(buffer, byteOffset, length);
    this.#packed = packed;
    this.count = packed.numbers.length / FILE_NUMBERS;
  }

  path(file: number): Buffer {
    const start = file === 0 ? 0 : this.#number(file - 1, 0);
    return this.#paths.subarray(start, this.#number(file, 0));
  }

  how(file: number): HowPlaced {
    return HOW[this.#number(file, 1)] as HowPlaced;
  }

  isFinished(file: number): boolean {
    return this.#number(file, 2) === 1;
  }

  sizeBytes(file: number): number {
    return this.#number(file, 3);
  }

  metadata(file: number): AppliedMetadata {
    const { times, xattrs } = this.#packed;
    return {
      kind: 'file',
      permissions: this.#number(file, 4),
      uid: this.#number(file, 5),
      gid: this.#number(file, 6),
      atimeNs: times[file * 2] as bigint,
      mtimeNs: times[file * 2 + 1] as bigint,
      xattrs: (xattrs.get(file) ?? []).map(asBuffers),
    };
  }

  #number(file: number, which: number): number {
    return this.#packed.numbers[file * FILE_NUMBERS + which] as number;
  }
}

/** They come over as plain arrays of bytes. */
function asBuffers({ name, value }: ExtendedAttribute): ExtendedAttribute {
  return { name: Buffer.from(name), value: Buffer.from(value) };
}
