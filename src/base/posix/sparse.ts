/** Where a file has no data: what is read there is zeros that lie nowhere (lseek(2), SEEK_HOLE and SEEK_DATA). */
import { lastErrno, libcFunction } from './libc.ts';

const lseek = libcFunction<[number, number, number]>(
  'int64_t lseek(int fd, int64_t offset, int whence)',
);
const SEEK_DATA = process.platform === 'darwin' ? 4 : 3;
const SEEK_HOLE = process.platform === 'darwin' ? 3 : 4;
const ENXIO = 6;

/**
 * The holes of an open file of that size, asked for from its beginning on: offsets must not go back. Where the file
 * system can't tell there are none. Moves the file's own position.
 */
export class FileHoles {
  readonly #descriptor: number;
  readonly #sizeBytes: number;
  #isHole = false;
  /** Up to here it is known what there is. */
  #end = 0;

  constructor(descriptor: number, sizeBytes: number) {
    this.#descriptor = descriptor;
    this.#sizeBytes = sizeBytes;
  }

  /** Where the hole ends in which the offset lies; the offset itself where data is, or its end was reached. */
  endAt(offset: number): number {
    if (offset >= this.#end && offset < this.#sizeBytes) this.#look(offset);
    return this.#isHole && offset < this.#end ? this.#end : offset;
  }

  #look(offset: number): void {
    const data = lseek(this.#descriptor, offset, SEEK_DATA);
    this.#isHole = data > offset || (data < 0 && lastErrno() === ENXIO);
    if (data > offset) this.#end = Math.min(data, this.#sizeBytes);
    else {
      const hole = data === offset ? lseek(this.#descriptor, offset, SEEK_HOLE) : -1;
      this.#end = hole > offset ? hole : this.#sizeBytes;
    }
  }
}
