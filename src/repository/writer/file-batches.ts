/** Files that wait for a worker, in the batches in which they were asked for: several of them share a job. */
import { ID_BYTES } from '../names.ts';
import {
  FILE_NUMBERS,
  type FileList,
  type FilesResult,
  IS_CHANGED,
  LISTED_NUMBERS,
  MAY_HAVE_XATTRS,
  systemError,
} from './messages.ts';
import type { FailedFile, FileToSave, SavedFile } from './writer.ts';

export type FileBatch = {
  files: readonly FileToSave[];
  /** Of all of them, as expected. */
  sizeBytes: number;
  resolve: (saved: (SavedFile | FailedFile)[]) => void;
};

/** What a worker is told of them. */
export function fileListOf(batches: readonly FileBatch[]): FileList {
  let count = 0;
  let length = 0;
  for (const { files } of batches) {
    count += files.length;
    for (const { path } of files) length += path.length;
  }
  const paths = Buffer.allocUnsafeSlow(length);
  const numbers = new Float64Array(count * LISTED_NUMBERS);
  let at = 0;
  let pathAt = 0;
  for (const { files } of batches) {
    for (const { path, sizeBytes, mtimeMs } of files) {
      numbers[at] = path.length;
      numbers[at + 1] = sizeBytes;
      numbers[at + 2] = mtimeMs;
      at += LISTED_NUMBERS;
    }
    // At once: a call for each path would take longer than all of this.
    pathAt += paths.write(files.map(({ path }) => path).join(''), pathAt, 'latin1');
  }
  return { paths, numbers };
}

/** Tells each batch what the worker says of its files. */
export function settleFiles(batches: readonly FileBatch[], result: FilesResult): void {
  const ids = Buffer.from(result.ids.buffer, result.ids.byteOffset, result.ids.length);
  const { numbers, failed } = result;
  let file = 0;
  let at = 0;
  for (const { files, resolve } of batches) {
    const saved: (SavedFile | FailedFile)[] = [];
    for (const end = file + files.length; file < end; file += 1) {
      const first = file * FILE_NUMBERS;
      const idsEnd = at + (numbers[first] as number) * ID_BYTES;
      const told = numbers[first + 3] as number;
      const failure = failed.get(file);
      if (failure) saved.push({ failure: systemError(failure) });
      else {
        saved.push({
          ids: ids.subarray(at, idsEnd),
          sizeBytes: numbers[first + 1] as number,
          newBytes: numbers[first + 2] as number,
          isChanged: (told & IS_CHANGED) !== 0,
          mayHaveXattrs: (told & MAY_HAVE_XATTRS) !== 0,
        });
      }
      at = idsEnd;
    }
    resolve(saved);
  }
}
