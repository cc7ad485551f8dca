/** Appending without the pages that hold nothing but zeros: holes read the same, and cost neither room nor time. */
import fs from 'node:fs';
import { writeWholeSync } from '#base';
import { PAGE_BYTES } from './page-map.ts';

const ZEROS = Buffer.alloc(PAGE_BYTES);

export function hasEmptyPage(data: Buffer): boolean {
  for (let at = 0; at < data.length; at += PAGE_BYTES) {
    if (isEmpty(data.subarray(at, at + PAGE_BYTES))) return true;
  }
  return false;
}

/** `offset`: the end of the file, or beyond. Throws system errors. */
export function appendSparsely(descriptor: number, data: Buffer, offset: number): void {
  let start = 0;
  for (let at = 0; at < data.length; at += PAGE_BYTES) {
    const page = data.subarray(at, at + PAGE_BYTES);
    if (!isEmpty(page)) continue;
    if (at > start) writeWholeSync(descriptor, data.subarray(start, at), offset + start);
    start = at + page.length;
  }
  if (start < data.length) writeWholeSync(descriptor, data.subarray(start), offset + start);
  else fs.ftruncateSync(descriptor, offset + data.length);
}

function isEmpty(page: Buffer): boolean {
  return page.equals(ZEROS.subarray(0, page.length));
}
