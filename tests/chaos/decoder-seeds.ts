/** Valid inputs, small, of the decoders that are fuzzed, and what makes their checksums right again after a change. */
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { madeMetadata } from '#base';
import { encodeTree, type Repository } from '#repository';
import { tarHeader } from '../../src/recovery/dump/tar-header.ts';
import { Sealer } from '../../src/repository/crypto/sealer.ts';
import { frameHeader } from '../../src/repository/journal/spool-frame.ts';
import { layoutFor } from '../../src/repository/parity/layout.ts';
import { encodeSidecar } from '../../src/repository/parity/sidecar.ts';
import { openBlockMapWriter } from '../../src/repository/records/block-map.ts';
import type { RecordKind } from '../../src/repository/records/codec.ts';

export const ID = 'ab'.repeat(32);
const masterKey = {
  encrypt: new Uint8Array(32).fill(1),
  macK: new Uint8Array(16).fill(2),
  macR: new Uint8Array(16).fill(3),
};

export const sealer = new Sealer(masterKey);

const ADDRESS = { environment: 'shop', stage: 'production', store: 'orders' };

export const nodes = () => {
  const made = { ...madeMetadata('file', 0o644, 1n), user: 'u', group: 'g', inode: 2n ** 63n };
  return encodeTree([
    { ...made, name: Buffer.from('a\xff', 'latin1'), content: Buffer.alloc(64, 7) },
    { ...made, kind: 'dir' as const, name: Buffer.from('b'), subtree: ID },
    { ...made, kind: 'symlink' as const, name: Buffer.from('c'), linkTarget: Buffer.from('t') },
    {
      ...made,
      name: Buffer.from('d'),
      xattrs: [{ name: Buffer.from('user.x'), value: Buffer.from('y') }],
    },
  ]);
};

export const blobs = [
  {
    type: 'data' as const,
    id: Buffer.alloc(32, 1),
    offset: 0,
    length: 50,
    compressed: false,
    plainLength: 18,
  },
  {
    type: 'tree' as const,
    id: Buffer.alloc(32, 2),
    offset: 50,
    length: 60,
    compressed: true,
    plainLength: 90,
  },
];

const position = { line: 1, offset: 5n };
export const records: Record<RecordKind, unknown> = {
  capture: {
    id: '20260101T000000000Z-abcdefgh',
    address: ADDRESS,
    source: 'files',
    kind: 'files',
    snapshot: ID,
    startedAtMs: 1,
    endedAtMs: 2,
    start: position,
    end: position,
    clock: { offsetMs: 0.5, uncertaintyMs: 1 },
    chunkSizeBytes: 0,
    facts: { a: [1] },
    statistics: { files: 1, directories: 1, bytes: 1, newBytes: 1, storedBytes: 1 },
    problems: [{ path: 'p', what: 'w' }],
    problemCount: 1,
  },
  point: {
    id: 'x-1',
    environment: 'shop',
    stage: 'production',
    atMs: 5,
    stores: { orders: { capture: 'c' } },
    services: { api: { version: '1' } },
  },
  mark: {
    id: 'x-2',
    environment: 'shop',
    stage: 'production',
    kind: 'deploy',
    atMs: 5,
    positions: { orders: position },
  },
  gap: { id: 'x-3', address: ADDRESS, from: position, fromMs: 1, because: 'lost' },
  line: { line: 2, parent: 1, forkOffset: 7n, raw: '1\t0/1\tx' },
  watermark: { atMs: 5, position },
} as Partial<Record<RecordKind, unknown>> as Record<RecordKind, unknown>;

export function spoolFrames(): Buffer {
  const frame = { offset: 7n, sentAtMs: 5, bytes: Buffer.from('journal') };
  return Buffer.concat([frameHeader(frame), frame.bytes, frameHeader(frame), frame.bytes]);
}

export function withFrameSum(bytes: Buffer): Buffer {
  if (bytes.length < 32) return bytes;
  const mended = Buffer.from(bytes);
  const payload = mended.subarray(32, 32 + mended.readUInt32LE(4));
  mended.writeUInt32LE(crc32(payload, crc32(mended.subarray(0, 24))), 24);
  return mended;
}

export function sidecar(): Buffer {
  const pack = Buffer.alloc(1000, 'pack');
  const layout = layoutFor(pack.length);
  const parity = Buffer.alloc(layout.stripes * layout.rows * layout.sectorBytes, 'parity');
  return encodeSidecar(ID, layout, [pack], parity);
}

/** Of the first head, as long as it says it is. */
export function withHeadSum(bytes: Buffer): Buffer {
  if (bytes.length < 56) return bytes;
  const sectors = Math.ceil(bytes.readUIntLE(8, 6) / bytes.readUInt32LE(16));
  const end = 56 + (sectors + bytes.readUInt32LE(20) * (bytes[6] as number)) * 4;
  if (!(end + 8 <= bytes.length)) return bytes;
  const mended = Buffer.from(bytes);
  hash('sha256', mended.subarray(0, end), 'buffer').copy(mended, end, 0, 8);
  return mended;
}

/** Of every block that could be a header. */
export function withHeaderSums(bytes: Buffer): Buffer {
  const mended = Buffer.from(bytes);
  for (let at = 0; at + 512 <= mended.length; at += 512) {
    const block = mended.subarray(at, at + 512);
    if (block.toString('latin1', 257, 262) !== 'ustar') continue;
    block.fill(' ', 148, 156);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
  return mended;
}

export function archive(): Buffer {
  const made = madeMetadata('file', 0o644, 1_500_000_000n);
  const node = { ...made, name: Buffer.from('x') };
  const header = tarHeader({ path: Buffer.alloc(300, 0x61), node, sizeBytes: 5 });
  return Buffer.concat([header, Buffer.from('hello'), Buffer.alloc(507 + 1024)]);
}

export function manifest(): Buffer {
  return Buffer.from(
    [
      '{ "PostgreSQL-Backup-Manifest-Version": 1,',
      '"Files": [',
      '{ "Path": "base/1/2", "Size": 8192, "Last-Modified": "2026-01-01 00:00:00 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "00000000" }',
      '],',
      '"WAL-Ranges": [',
      '{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000100" }',
      '],',
      `"Manifest-Checksum": "${ID}"}`,
      '',
    ].join('\n'),
  );
}

export async function blockMapTable(repository: Repository): Promise<Buffer> {
  const writer = openBlockMapWriter(repository, ADDRESS, 'capture');
  await writer.add(Buffer.from('base/1'), 16_384n, 8192, Buffer.alloc(64, 9));
  const name = (await writer.finish()) as string;
  return await repository.sealed.read(`${name}/table`);
}
