/**
 * Everything that turns bytes from outside into values, each with a few valid inputs to begin from. Whatever the bytes,
 * a decoder gives a value or throws a HoldfastError, soon, and within bounded memory.
 */
import { Secret } from '#base';
import { createRepository } from '#repository';
import { aclText } from '../../src/recovery/dump/posix-acl.ts';
import { Listing } from '../../src/recovery/mount/browse/listings.ts';
import { parseConfig } from '../../src/repository/config.ts';
import { compress } from '../../src/repository/crypto/compression.ts';
import { Sealer } from '../../src/repository/crypto/sealer.ts';
import { Decompressor } from '../../src/repository/crypto/zstd-context.ts';
import { zstdContentBytes } from '../../src/repository/crypto/zstd-frame.ts';
import { encodeIndex } from '../../src/repository/index/index-file.ts';
import { IndexParser } from '../../src/repository/index/index-parser.ts';
import { frameAt } from '../../src/repository/journal/spool-frame.ts';
import { decodeKeyFile } from '../../src/repository/keys/key-file.ts';
import { decodeLock } from '../../src/repository/locks/lock-file.ts';
import { decodePackHeader, encodePackHeader } from '../../src/repository/pack/header.ts';
import { openPackHeader } from '../../src/repository/pack/verify-pack.ts';
import { decodeSidecar } from '../../src/repository/parity/sidecar.ts';
import { openBlockMap } from '../../src/repository/records/block-map.ts';
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
import {
  archive,
  blobs,
  blockMapTable,
  ID,
  manifest,
  nodes,
  records,
  sealer,
  sidecar,
  spoolFrames,
  withFrameSum,
  withHeaderSums,
  withHeadSum,
} from './decoder-seeds.ts';
import { decodeMadeWal, madeWals } from './made-wal.ts';

export type Decoder = {
  name: string;
  /** Valid inputs, small. */
  seeds: readonly Buffer[];
  decode(bytes: Buffer): unknown;
  /** Makes checksums right again, so that what lies behind them is reached. */
  mend?(bytes: Buffer): Buffer;
};

const text = (value: unknown) => Buffer.from(JSON.stringify(value));

/** Files that are JSON are parsed before their decoder sees them; what isn't JSON has been refused by then. */
function json(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

function recordDecoders(): Decoder[] {
  return Object.entries(records).map(([kind, value]) => ({
    name: `record ${kind}`,
    seeds: [encodeRecord(kind as RecordKind, value as never, 'seed')],
    decode: (bytes) => decodeRecord(kind as RecordKind, bytes, 'fuzzed'),
  }));
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

function readArchive(bytes: Buffer): number {
  const reader = new TarReader();
  let parts = 0;
  for (const _part of reader.read(bytes)) parts += 1;
  return parts;
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
