/** Looks at random pages of a copy: their checksums where it has them, their headers everywhere. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { formatCount, randomBelow, sleepMs, systemCode } from '#base';
import type { Sample, SampleRequest } from '../../source.ts';
import { ContentWindow } from '../base/content-window.ts';
import { firstBlockOf } from '../base/page-check.ts';
import { baseFactsOf } from '../facts.ts';
import { badHeader } from './page-header.ts';

/** Neighbours come by one request, and share a block of the repository. */
const RUN_BYTES = 128 * 1024;
/** A server that runs may be writing a page just now: what is damaged stays so. */
const LOOKS = 3;
const LOOK_AGAIN_MS = 100;
const MOST_NAMED = 16;
/** No page was written after this: all of them are judged. */
const END_OF_LOG = 2n ** 64n - 1n;

type RelationFile = { name: string; sizeBytes: number; firstBlock: number };
type Layout = { blockSizeBytes: number; segmentFileBytes: number; hasChecksums: boolean };
type Run = { file: RelationFile; offset: number; lengthBytes: number };

export async function samplePages(request: SampleRequest): Promise<Sample> {
  const { blockSizeBytes, segmentFileBytes, settings } = baseFactsOf(request.capture);
  const hasChecksums = settings.data_checksums === 'on';
  const layout = { blockSizeBytes, segmentFileBytes, hasChecksums };
  const files = await relationFiles(request.directory, layout);
  const window = new ContentWindow();
  const problems: string[] = [];
  let seen = 0;
  for (const run of randomRuns(files, request.maxBytes)) {
    request.signal.throwIfAborted();
    const looked = await lookAt(run, layout, window, request);
    seen += looked.pages;
    if (problems.length < MOST_NAMED) problems.push(...looked.problems);
  }
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const total = formatCount(Math.floor(totalBytes / blockSizeBytes));
  const how = hasChecksums ? 'checksums and headers' : 'headers (it has no checksums)';
  return { what: `${how} of ${formatCount(seen)} of ${total} pages`, problems };
}

async function relationFiles(directory: string, layout: Layout): Promise<RelationFile[]> {
  const folders = ['global'];
  for (const database of await namesIn(directory, 'base')) folders.push(`base/${database}`);
  for (const space of await namesIn(directory, 'pg_tblspc')) {
    for (const version of await namesIn(directory, `pg_tblspc/${space}`)) {
      const below = `pg_tblspc/${space}/${version}`;
      for (const database of await namesIn(directory, below)) folders.push(`${below}/${database}`);
    }
  }
  const found: RelationFile[] = [];
  for (const folder of folders) {
    for (const entry of await namesIn(directory, folder)) {
      const name = `${folder}/${entry}`;
      const firstBlock = firstBlockOf(name, { ...layout, startLsn: 0n });
      if (firstBlock === undefined) continue;
      const sizeBytes = await sizeOf(path.join(directory, name));
      if (sizeBytes > 0) found.push({ name, sizeBytes, firstBlock });
    }
  }
  return found;
}

/** None where it is no folder: a server may remove one at any time. */
async function namesIn(directory: string, folder: string): Promise<string[]> {
  try {
    return await fs.readdir(path.join(directory, folder));
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return [];
    throw error;
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await fs.stat(file)).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 0;
    throw error;
  }
}

/** Each page is as likely as any other; all of them where that is little enough. In order. */
function randomRuns(files: readonly RelationFile[], maxBytes: number): Run[] {
  const runs = files.flatMap((file): Run[] =>
    Array.from({ length: Math.ceil(file.sizeBytes / RUN_BYTES) }, (_, at) => {
      const offset = at * RUN_BYTES;
      return { file, offset, lengthBytes: Math.min(RUN_BYTES, file.sizeBytes - offset) };
    }),
  );
  const ends: number[] = [];
  for (const { lengthBytes } of runs) ends.push((ends.at(-1) ?? 0) + lengthBytes);
  const totalBytes = ends.at(-1) ?? 0;
  if (totalBytes <= maxBytes) return runs;
  const chosen = new Set<number>();
  for (let bytes = 0; bytes < maxBytes; ) {
    const run = firstBehind(ends, randomBelow(totalBytes));
    if (chosen.has(run)) continue;
    chosen.add(run);
    bytes += (runs[run] as Run).lengthBytes;
  }
  return runs.filter((_, run) => chosen.has(run));
}

/** Index of the first end that lies behind the byte. */
function firstBehind(ends: readonly number[], at: number): number {
  let low = 0;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ends[middle] as number) > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

async function lookAt(
  run: Run,
  layout: Layout,
  window: ContentWindow,
  { directory, onRead, signal }: SampleRequest,
): Promise<{ pages: number; problems: string[] }> {
  const { name } = run.file;
  let content: Buffer = Buffer.alloc(0);
  let bad: number[] = [];
  for (let look = 0; look < LOOKS; look += 1) {
    if (look > 0) await sleepMs(LOOK_AGAIN_MS, signal);
    try {
      content = await readRun(path.join(directory, name), run);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return { pages: 0, problems: [] };
      return { pages: 0, problems: [`${name} can't be read at byte ${run.offset}`] };
    }
    bad = badBlocks(content, run, layout, window);
    if (bad.length === 0) break;
  }
  onRead(content);
  const pages = Math.floor(content.length / layout.blockSizeBytes);
  if (bad.length === 0) return { pages, problems: [] };
  return { pages, problems: [`${name}: block ${bad.join(', ')} damaged`] };
}

async function readRun(file: string, { offset, lengthBytes }: Run): Promise<Buffer> {
  const handle = await fs.open(file, 'r');
  try {
    const content = Buffer.allocUnsafe(lengthBytes);
    const { bytesRead } = await handle.read(content, 0, lengthBytes, offset);
    return content.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** Numbers of the blocks within their file that no server could have written. */
function badBlocks(content: Buffer, run: Run, layout: Layout, window: ContentWindow): number[] {
  const { blockSizeBytes, hasChecksums } = layout;
  const within = run.offset / blockSizeBytes;
  const bad = new Set<number>();
  if (hasChecksums) {
    window.add(content, 0);
    const firstBlock = run.file.firstBlock + within;
    const pages = { blockSizeBytes, firstBlock, startLsn: END_OF_LOG };
    for (const block of window.badPages(window.take(), pages)) bad.add(block - run.file.firstBlock);
  }
  for (let at = 0; at + blockSizeBytes <= content.length; at += blockSizeBytes) {
    const page = content.subarray(at, at + blockSizeBytes);
    if (badHeader(page)) bad.add(within + at / blockSizeBytes);
  }
  return [...bad].sort((a, b) => a - b);
}
