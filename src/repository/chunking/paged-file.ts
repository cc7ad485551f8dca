/**
 * Which files are cut every so many bytes: databases and images of disks, which are changed page by page. A cut that
 * follows the content would make a new chunk of a MiB of each changed page.
 */
import fs from 'node:fs';
import type { Chunking } from '../writer/writer.ts';
import type { Cutting } from './cutting.ts';

const KIB = 1024;
const CONTENT: Chunking = { kind: 'content' };

/** Smaller ones are a few chunks at most, however they are cut. */
const LEAST_BYTES = 1024 * KIB;
/** Of all these systems, and of the disks below them. */
const SMALLEST_PAGE_BYTES = 4 * KIB;
/** A few pages: what is stored anew for one changed page, against what a chunk costs in tree and index. */
const CHUNK_BYTES = 32 * KIB;
/** Trees and index stay small for the largest ones too: above 64 GiB chunks grow. */
const MOST_CHUNKS = 2 ** 21;

type Magic = { at: number; bytes: Buffer };

const MAGICS: readonly Magic[] = [
  { at: 0, bytes: Buffer.from('SQLite format 3\0') },
  // Images of virtual machines: QEMU, VMware, Hyper-V (two), VirtualBox.
  { at: 0, bytes: Buffer.from('QFI\xfb', 'latin1') },
  { at: 0, bytes: Buffer.from('KDMV') },
  { at: 0, bytes: Buffer.from('vhdxfile') },
  { at: 0, bytes: Buffer.from('conectix') },
  { at: 64, bytes: Buffer.of(0x7f, 0x10, 0xda, 0xbe) },
  // Raw images: LUKS, XFS, NTFS, partitions (GPT), ext2 to ext4, btrfs, LVM.
  { at: 0, bytes: Buffer.from('LUKS\xba\xbe', 'latin1') },
  { at: 0, bytes: Buffer.from('XFSB') },
  { at: 3, bytes: Buffer.from('NTFS    ') },
  { at: 512, bytes: Buffer.from('EFI PART') },
  { at: 1080, bytes: Buffer.of(0x53, 0xef) },
  { at: 65_600, bytes: Buffer.from('_BHRfS_M') },
  { at: 512, bytes: Buffer.from('LABELONE') },
];
const FIRST_BYTES = 66 * KIB;

/**
 * How an open regular file of that size is cut: by its own first bytes, or by pages that all begin alike (Postgres,
 * InnoDB, Oracle and others). The same bytes are always cut in the same way.
 */
export function chunkingOfFile(
  file: number,
  sizeBytes: number,
  { style, fixedBytes }: Cutting = { style: 'gear' },
): Chunking {
  if (fixedBytes !== undefined && sizeBytes >= LEAST_BYTES) {
    return { kind: 'fixed', sizeBytes: fixedBytes };
  }
  // restic knows no pages: what it stored is shared only where the cuts are its own.
  if (style === 'rabin' || sizeBytes < LEAST_BYTES || sizeBytes % SMALLEST_PAGE_BYTES !== 0)
    return CONTENT;
  const first = readAt(file, 0, FIRST_BYTES);
  const isKnown = MAGICS.some(({ at, bytes }) =>
    first.subarray(at, at + bytes.length).equals(bytes),
  );
  return isKnown || hasPages(file, sizeBytes) ? fixedFor(sizeBytes) : CONTENT;
}

function fixedFor(totalBytes: number): Chunking {
  let sizeBytes = CHUNK_BYTES;
  while (totalBytes / sizeBytes > MOST_CHUNKS) sizeBytes *= 2;
  return { kind: 'fixed', sizeBytes };
}

/** The largest common pages: those of half the size lie at their borders as well. */
const PAGE_BYTES = 16 * KIB;
const HEADER_BYTES = 40;
const SAMPLES = 48;
const LEAST_SAMPLES = 12;
const ALIKE = 0.9;
const LEAST_ALIKE_BYTES = 2;
/** Inside of a page, at no border that any structure has. */
const ELSEWHERE_BYTES = 5_419;

/** Whether pages have headers: bytes that agree at the borders of pages, and don't in their middle. */
function hasPages(file: number, sizeBytes: number): boolean {
  const pages = Math.floor(sizeBytes / PAGE_BYTES);
  const step = Math.max(1, Math.floor(pages / SAMPLES));
  const headers: Buffer[] = [];
  const elsewhere: Buffer[] = [];
  for (let page = 0; page < pages && headers.length < SAMPLES; page += step) {
    const header = readAt(file, page * PAGE_BYTES, HEADER_BYTES);
    // Free pages tell nothing.
    if (header.every((byte) => byte === 0)) continue;
    headers.push(header);
    elsewhere.push(readAt(file, page * PAGE_BYTES + ELSEWHERE_BYTES, HEADER_BYTES));
  }
  if (headers.length < LEAST_SAMPLES) return false;
  return alikeBytes(headers) >= LEAST_ALIKE_BYTES + 2 * alikeBytes(elsewhere);
}

/** Places in which nearly all samples hold the same byte, which isn't zero. */
function alikeBytes(samples: readonly Buffer[]): number {
  let alike = 0;
  for (let at = 0; at < HEADER_BYTES; at += 1) {
    const counts = new Uint16Array(256);
    for (const sample of samples) {
      const byte = sample[at];
      if (byte) counts[byte] = (counts[byte] ?? 0) + 1;
    }
    if (Math.max(...counts) >= samples.length * ALIKE) alike += 1;
  }
  return alike;
}

/** Less where the file ends before. Throws Node's system errors. */
function readAt(file: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, fs.readSync(file, bytes, 0, length, offset));
}
