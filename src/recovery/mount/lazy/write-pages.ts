/** Writing into a file of which not every page is here: a page counts as here when all of it was written. */
import { writeWholeSync } from '#base';
import { PAGE_BYTES, type PageMap } from './page-map.ts';
import type { PageStore } from './page-store.ts';

/**
 * True where a page would be written only in part that isn't here, so that the rest of it must be fetched before. What
 * lies behind the content of the repository is zeros already.
 */
export function needsFilling(
  map: PageMap,
  file: number,
  offset: number,
  lengthBytes: number,
): boolean {
  return pagesToFill(map, file, offset, lengthBytes).length > 0;
}

/** At most the first and the last page of the range. */
export function pagesToFill(
  map: PageMap,
  file: number,
  offset: number,
  lengthBytes: number,
): number[] {
  const end = offset + lengthBytes;
  const first = Math.floor(offset / PAGE_BYTES);
  const last = Math.floor((end - 1) / PAGE_BYTES);
  const isCut = (page: number) => {
    const contentEnd = Math.min((page + 1) * PAGE_BYTES, map.limitOf(file));
    return offset > page * PAGE_BYTES || end < contentEnd;
  };
  const pages = first === last ? [first] : [first, last];
  return pages.filter((page) => !map.isPresent(file, page) && isCut(page));
}

/** What `work` answers or throws. Who was told before that this was written will never learn by itself that it wasn't. */
export function notingLoss<T>(
  store: PageStore,
  { isWrittenBehind }: { isWrittenBehind: boolean },
  work: () => T,
): T {
  try {
    return work();
  } catch (error) {
    if (isWrittenBehind) store.writeLost();
    throw error;
  }
}

/** Nothing may need filling any more. Throws system errors (ENOSPC), and then no page counts as here by it. */
export function writePages(
  store: PageStore,
  file: number,
  descriptor: number,
  data: Uint8Array,
  offset: number,
): void {
  const end = offset + data.length;
  store.map.locked(() => {
    writeWholeSync(descriptor, data, offset);
    store.added(file, Math.floor(offset / PAGE_BYTES), Math.ceil(end / PAGE_BYTES));
  });
}
