/**
 * A look at the bytes of a file by whoever reads them, in the thread and at the moment in which they are read. The source
 * knows what is right, the repository's workers read; it lies here because neither of them knows the other.
 */

/** `module`: a file URL of one that exports `openReadingCheck`, loaded in each thread. `settings`: a copy goes there. */
export type ReadingCheck = { module: string; settings: unknown };

export interface ReadingChecker {
  /** Memory to read into, of at least so many bytes; shared by all checkers of a module in one thread. */
  room(leastBytes: number): Buffer;
  readonly unitBytes: number;
  /**
   * Of bytes in the room, whole units but for a file's end, which lie at this offset of the file: offsets in the file of the
   * units that look wrong. They may have been read while they were written: read them again before that is believed.
   */
  wrongUnits(bytes: Buffer, offset: number): number[];
}

export type OpenReadingCheck = (settings: unknown) => ReadingChecker;
