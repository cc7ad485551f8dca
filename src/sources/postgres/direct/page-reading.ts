/** Loaded by the threads that read data files: the checksums of pages, looked at where they were just read to. */
import type { ReadingChecker } from '#base';
import { ContentWindow } from '../base/content-window.ts';

export type PageSettings = {
  blockSizeBytes: number;
  /** Number of the file's first block in its relation. */
  firstBlock: number;
  /** Pages changed since are brought by WAL replay. */
  startLsn: bigint;
};

let window: ContentWindow | undefined;

function windowOf(leastBytes: number): ContentWindow {
  if (!window || window.room.length < leastBytes) window = new ContentWindow(leastBytes);
  return window;
}

export function openReadingCheck(settings: unknown): ReadingChecker {
  const { blockSizeBytes, firstBlock, startLsn } = settings as PageSettings;
  return {
    unitBytes: blockSizeBytes,
    room: (leastBytes) => windowOf(leastBytes).room,
    wrongUnits(bytes, offset) {
      const first = firstBlock + offset / blockSizeBytes;
      const pages = { blockSizeBytes, startLsn, firstBlock: first };
      return windowOf(bytes.length)
        .badPages(bytes, pages)
        .map((block) => (block - firstBlock) * blockSizeBytes);
    },
  };
}
