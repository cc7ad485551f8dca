/**
 * Everything that turns bytes from outside into values, each with a few valid inputs to begin from. Whatever the bytes,
 * a decoder gives a value or throws a HoldfastError, soon, and within bounded memory.
 */
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { madeMetadata, Secret } from '#base';
import { createRepository, encodeTree, type Repository } from '#repository';
import { aclText } from '../../src/recovery/dump/posix-acl.ts';
import { tarHeader } from '../../src/recovery/dump/tar-header.ts';
import { Listing } from '../../src/recovery/mount/browse/listings.ts';
import { parseConfig } from '../../src/repository/config.ts';
import { compress } from '../../src/repository/crypto/compression.ts';
import { Sealer } from '../../src/repository/crypto/sealer.ts';
import { Decompressor } from '../../src/repository/crypto/zstd-context.ts';
import { zstdContentBytes } from '../../src/repository/crypto/zstd-frame.ts';
import { encodeIndex } from '../../src/repository/index/index-file.ts';
import { IndexParser } from '../../src/repository/index/index-parser.ts';
import { frameAt, frameHeader } from '../../src/repository/journal/spool-frame.ts';
import { decodeKeyFile } from '../../src/repository/keys/key-file.ts';
import { decodeLock } from '../../src/repository/locks/lock-file.ts';
import { decodePackHeader, encodePackHeader } from '../../src/repository/pack/header.ts';
import { openPackHeader } from '../../src/repository/pack/verify-pack.ts';
import { layoutFor } from '../../src/repository/parity/layout.ts';
import { decodeSidecar, encodeSidecar } from '../../src/repository/parity/sidecar.ts';
import { openBlockMap, openBlockMapWriter } from '../../src/repository/records/block-map.ts';
import { decodeRecord, encodeRecord, type RecordKind } from '../../src/repository/records/codec.ts';
import { parseCaptureName, parseWatermarkName } from '../../src/repository/records/names.ts';
import { decodeSnapshot, encodeSnapshot } from '../../src/repository/snapshots/snapshot-json.ts';
import { MemoryStorage } from '../../src/repository/storage/memory.ts';
import { decodeTree } from '../../src/repository/tree/decode-tree.ts';
import { KnownTree } from '../../src/repository/tree/known-tree.ts';
import { ManifestCheck } from '../../src/sources/postgres/base/manifest.ts';
import { TarReader } from '../../src/sources/postgres/base/tar.ts';
import { parseHistory } from '../../src/sources/postgres/wal/history.ts';
import { parseSenderMessage } from '../../src/sources/postgres/wal/messages.ts';
import { decodeMadeWal, madeWals } from './made-wal.ts';

export type Decoder = {
  name: string;
  /** Valid inputs, small. */
  seeds: readonly Buffer[];
  decode(bytes: Buffer): unknown;
  /** Makes checksums right again, so that what lies behind them is reached. */
  mend?(bytes: Buffer): Buffer;
};

const ID = 'ab'.repeat(32);
const masterKey = {
  encrypt: new Uint8Array(32).fill(1),
  macK: new Uint8Array(16).fill(2),
  macR: new Uint8Array(16).fill(3),
};
const sealer = new Sealer(masterKey);
const ADDRESS = { environment: 'shop', stage: 'production', store: 'orders' };

const text = (value: unknown) => Buffer.from(JSON.stringify(value));

/** Files that are JSON are parsed before their decoder sees them; what isn't JSON has been refused by then. */
function json(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

const nodes = () => {
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

const blobs = [
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
const records: Record<RecordKind, unknown> = {
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

function recordDecoders(): Decoder[] {
  return Object.entries(records).map(([kind, value]) => ({
    name: `record ${kind}`,
    seeds: [encodeRecord(kind as RecordKind, value as never, 'seed')],
    decode: (bytes) => decodeRecord(kind as RecordKind, bytes, 'fuzzed'),
  }));
}

function spoolFrames(): Buffer {
  const frame = { offset: 7n, sentAtMs: 5, bytes: Buffer.from('journal') };
  return Buffer.concat([frameHeader(frame), frame.bytes, frameHeader(frame), frame.bytes]);
}

function withFrameSum(bytes: Buffer): Buffer {
  if (bytes.length < 32) return bytes;
  const mended = Buffer.from(bytes);
  const payload = mended.subarray(32, 32 + mended.readUInt32LE(4));
  mended.writeUInt32LE(crc32(payload, crc32(mended.subarray(0, 24))), 24);
  return mended;
}

function sidecar(): Buffer {
  const pack = Buffer.alloc(1000, 'pack');
  const layout = layoutFor(pack.length);
  const parity = Buffer.alloc(layout.stripes * layout.rows * layout.sectorBytes, 'parity');
  return encodeSidecar(ID, layout, [pack], parity);
}

/** Of the first head, as long as it says it is. */
function withHeadSum(bytes: Buffer): Buffer {
  if (bytes.length < 56) return bytes;
  const sectors = Math.ceil(bytes.readUIntLE(8, 6) / bytes.readUInt32LE(16));
  const end = 56 + (sectors + bytes.readUInt32LE(20) * (bytes[6] as number)) * 4;
  if (!(end + 8 <= bytes.length)) return bytes;
  const mended = Buffer.from(bytes);
  hash('sha256', mended.subarray(0, end), 'buffer').copy(mended, end, 0, 8);
  return mended;
}

/** Of every block that could be a header. */
function withHeaderSums(bytes: Buffer): Buffer {
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

function readFrames(bytes: Buffer): number {
  let at = 0;
  let frames = 0;
  for (let frame = frameAt(bytes, at); frame; frame = frameAt(bytes, at)) {
    at += 32 + frame.bytes.length;
    frames += 1;
  }
  return frames;
}

function archive(): Buffer {
  const made = madeMetadata('file', 0o644, 1_500_000_000n);
  const node = { ...made, name: Buffer.from('x') };
  const header = tarHeader({ path: Buffer.alloc(300, 0x61), node, sizeBytes: 5 });
  return Buffer.concat([header, Buffer.from('hello'), Buffer.alloc(507 + 1024)]);
}

function readArchive(bytes: Buffer): number {
  const reader = new TarReader();
  let parts = 0;
  for (const _part of reader.read(bytes)) parts += 1;
  return parts;
}

function manifest(): Buffer {
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

async function blockMapTable(repository: Repository): Promise<Buffer> {
  const writer = openBlockMapWriter(repository, ADDRESS, 'capture');
  await writer.add(Buffer.from('base/1'), 16_384n, 8192, Buffer.alloc(64, 9));
  const name = (await writer.finish()) as string;
  return await repository.sealed.read(`${name}/table`);
}

/** Opened once for all; nothing of it is kept on disk. */
export async function allDecoders(): Promise<Decoder[]> {
  const storage = new MemoryStorage('decoders', new Map());
  const scrypt = { N: 1024, r: 8, p: 1 };
  const repository = await createRepository({ storage, password: new Secret('p'), scrypt });
  const header = encodePackHeader(blobs);
  const decompressor = new Decompressor();
  const keyName = (await repository.keys.list())[0]?.id as string;
  const pack = (plain: Buffer) => {
    const sealed = sealer.seal(plain);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(sealed.length);
    return Buffer.concat([sealed, length]);
  };
  return [
    {
      name: 'tree',
      seeds: [Buffer.concat(nodes()), Buffer.from('{"nodes":[]}\n'), Buffer.from('{"nodes":null}')],
      decode: (bytes) => [...decodeTree(bytes)].length,
    },
    {
      name: 'known tree',
      seeds: [
        Buffer.concat(nodes()),
        Buffer.from('{"nodes": [ {"name":"b","type":"fifo"} , {"name":"d","type":"fifo"}]}'),
      ],
      decode: (bytes) => {
        const known = new KnownTree(ID, bytes);
        known.take('a\xff', '{"name":"a\\\\xff","type":"file"');
        return ['b', 'c', 'd', 'zz'].map((name) => known.find(name)).concat(known.find('zzz'));
      },
    },
    {
      name: 'folder of a mount',
      seeds: [
        Buffer.concat(nodes()),
        Buffer.from('{"nodes":[{"name":"b","type":"fifo"},{"name":"a","type":"fifo"}]}'),
      ],
      decode: (bytes) => {
        const listing = new Listing(ID, bytes);
        const { count } = listing;
        return [listing.entry(count), listing.entry(count - 1), listing.named(Buffer.from('b'))];
      },
    },
    {
      name: 'index',
      seeds: [
        Buffer.from([...encodeIndex([{ id: ID, blobs }])].join('')),
        Buffer.from(`{"supersedes":["${ID}"],"packs":[],"packs_to_delete":[]}`),
      ],
      decode: (bytes) => {
        const parser = new IndexParser('index/fuzzed');
        const half = bytes.length >>> 1;
        parser.feed(bytes.subarray(0, half));
        parser.feed(bytes.subarray(half));
        return parser.end();
      },
    },
    {
      name: 'snapshot',
      seeds: [
        Buffer.from(
          encodeSnapshot({
            time: 5,
            tree: ID,
            paths: ['/a'],
            tags: ['t'],
            others: { original: ID },
          }),
        ),
      ],
      decode: (bytes) => decodeSnapshot(ID, json(bytes)),
    },
    {
      name: 'config',
      seeds: [text({ version: 2, id: ID, chunker_polynomial: '25b468838dcb75' })],
      decode: (bytes) => parseConfig(storage, sealer, sealer.seal(bytes)),
    },
    {
      name: 'key file',
      seeds: [await storage.read(`keys/${keyName}`)],
      decode: (bytes) => decodeKeyFile('keys/fuzzed', ID, bytes),
    },
    {
      name: 'lock',
      seeds: [
        text({
          time: '2026-01-01T00:00:00.5+02:00',
          exclusive: true,
          hostname: 'h',
          username: 'u',
          pid: 1,
        }),
      ],
      decode: (bytes) => decodeLock(json(bytes)),
    },
    { name: 'pack header', seeds: [header], decode: (bytes) => decodePackHeader(bytes, ID) },
    {
      name: 'pack tail',
      seeds: [pack(header), pack(Buffer.alloc(0))],
      decode: (bytes) => openPackHeader(sealer, ID, bytes),
    },
    ...recordDecoders(),
    {
      name: 'record names',
      seeds: [
        Buffer.from('captures/shop/production/orders/x-1.base'),
        Buffer.from(
          'journal/shop/production/orders/batches/00000001/0000000000000000-0000000000001000-0000000000005-x-1',
        ),
        Buffer.from('a/watermarks/0000000000005-00000001-0000000000000005'),
      ],
      decode: (bytes) => [parseCaptureName(`${bytes}`), parseWatermarkName(`${bytes}`)],
    },
    {
      name: 'block map',
      seeds: [await blockMapTable(repository)],
      decode: async (bytes) => {
        await repository.sealed.write('fuzzed/table', bytes);
        const map = await openBlockMap(repository, 'fuzzed');
        return map.find(Buffer.from('base/1'));
      },
    },
    { name: 'spool frame', seeds: [spoolFrames()], decode: readFrames, mend: withFrameSum },
    {
      name: 'sealed file',
      seeds: [Buffer.from('\x01\x00\x00acontent', 'latin1')],
      decode: async (bytes) => {
        await storage.write('holdfast/a', [new Sealer(repository.masterKey).seal(bytes)]);
        return await repository.sealed.read('a');
      },
    },
    {
      name: 'parity sidecar',
      seeds: [sidecar()],
      decode: (bytes) => decodeSidecar(ID, bytes),
      mend: withHeadSum,
    },
    {
      name: 'zstd frame',
      seeds: [compress(Buffer.alloc(1000, 'ab')), compress(Buffer.from('x'))],
      decode: (bytes) => {
        zstdContentBytes(bytes);
        try {
          return decompressor.decompress(bytes, 4096).length;
        } catch {
          // What zstd refuses: whoever calls it says which file it was.
          return undefined;
        }
      },
    },
    { name: 'WAL', seeds: madeWals, decode: decodeMadeWal },
    {
      name: 'timeline history',
      seeds: [Buffer.from('1\t0/5000000\tno recovery target\n2\t0/6000000\tx\n')],
      decode: (bytes) => parseHistory(`${bytes}`),
    },
    {
      name: 'replication message',
      seeds: [
        Buffer.concat([Buffer.from('w'), Buffer.alloc(24), Buffer.from('wal')]),
        Buffer.concat([Buffer.from('k'), Buffer.alloc(17)]),
      ],
      decode: (bytes) => parseSenderMessage(bytes),
    },
    { name: 'tar', seeds: [archive()], decode: readArchive, mend: withHeaderSums },
    {
      name: 'backup manifest',
      seeds: [manifest()],
      decode: (bytes) => {
        const check = new ManifestCheck();
        check.take(bytes);
        check.finish();
      },
    },
    {
      name: 'POSIX ACL',
      seeds: [Buffer.from('0200000001000600ffffffff02000500d204000010000700ffffffff', 'hex')],
      decode: (bytes) => aclText(bytes),
    },
  ];
}
