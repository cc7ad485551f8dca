/**
 * The file with the parity of one pack. It isn't sealed: it is made of sealed bytes, whatever comes of it is held against
 * the pack's SHA-256, and a seal would be broken by the first wrong bit, which costs one sector of parity like this.
 *
 * `head ‖ parity sectors ‖ head ‖ length of a head (uint32-LE)`. The head, twice because nothing works without it:
 * `HFPAR` 1, rows (1), 0, pack's length (6), 0 0, sector's length (4), stripes (4), pack's id (32), a CRC-32 for each
 * sector of the pack and for each of parity (4 each), the first 8 bytes of the SHA-256 of all that. Integers are LE.
 */
import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { isSoundLayout, type ParityLayout } from './layout.ts';

const MAGIC = Buffer.from('HFPAR\x01', 'latin1');
const FIXED_BYTES = 56;
const ID_AT = 24;
const CRC_BYTES = 4;
const SUM_BYTES = 8;
const LENGTH_BYTES = 4;

/** More than any writer puts into one pack. */
const MAX_PACK_BYTES = 4 * 2 ** 30;

export type Sidecar = {
  packId: string;
  layout: ParityLayout;
  /** CRC-32 of each sector of the pack. */
  sums: Uint32Array;
  /** Of each sector of parity, row by row, stripe after stripe; undefined where it is damaged or cut off. */
  parity: (Buffer | undefined)[];
  /** False where a part of the sidecar itself was damaged. */
  whole: boolean;
};

export function encodeSidecar(
  packId: string,
  layout: ParityLayout,
  parts: readonly Uint8Array[],
  parity: Buffer,
): Buffer {
  const { sectorBytes } = layout;
  const head = Buffer.alloc(headBytes(layout));
  head.set(MAGIC);
  head[6] = layout.rows;
  head.writeUIntLE(layout.packBytes, 8, 6);
  head.writeUInt32LE(sectorBytes, 16);
  head.writeUInt32LE(layout.stripes, 20);
  head.write(packId, ID_AT, 'hex');
  let at = FIXED_BYTES;
  for (const sum of sectorSums(parts, sectorBytes, layout.sectors)) {
    at = head.writeUInt32LE(sum, at);
  }
  for (let from = 0; from < parity.length; from += sectorBytes) {
    at = head.writeUInt32LE(crc32(parity.subarray(from, from + sectorBytes)), at);
  }
  sumOf(head).copy(head, at);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(head.length);
  return Buffer.concat([head, parity, head, length]);
}

/** Undefined where neither of its heads is whole and says this pack. */
export function decodeSidecar(packId: string, bytes: Buffer): Sidecar | undefined {
  const front = readHead(bytes, packId);
  const back = readHead(lastHead(bytes), packId);
  const head = front ?? back;
  if (!head) return undefined;
  const { layout, data, paritySums } = head;
  const first = headBytes(layout);
  const expectedBytes = 2 * first + paritySums.length * layout.sectorBytes + LENGTH_BYTES;
  let whole = front !== undefined && back !== undefined && bytes.length === expectedBytes;
  const parity = paritySums.map((sum, i) => {
    const from = first + i * layout.sectorBytes;
    const sector = bytes.subarray(from, from + layout.sectorBytes);
    if (sector.length === layout.sectorBytes && crc32(sector) === sum) return sector;
    whole = false;
    return undefined;
  });
  return { packId, layout, sums: data, parity, whole };
}

/** CRC-32 of each sector, the last one filled up with zeros; what lies behind the last sector is left out. */
export function* sectorSums(
  parts: readonly Uint8Array[],
  sectorBytes: number,
  sectors: number,
): Iterable<number> {
  let made = 0;
  let pending: Buffer = Buffer.alloc(0);
  for (const part of parts) {
    let at = 0;
    if (pending.length > 0) {
      at = Math.min(sectorBytes - pending.length, part.length);
      pending = Buffer.concat([pending, part.subarray(0, at)]);
      if (pending.length === sectorBytes && made < sectors) {
        yield crc32(pending);
        made += 1;
        pending = Buffer.alloc(0);
      }
    }
    for (; at + sectorBytes <= part.length && made < sectors; at += sectorBytes) {
      yield crc32(part.subarray(at, at + sectorBytes));
      made += 1;
    }
    if (at < part.length) pending = Buffer.from(part.subarray(at));
  }
  for (; made < sectors; made += 1) {
    const last = Buffer.alloc(sectorBytes);
    last.set(pending.subarray(0, sectorBytes));
    pending = Buffer.alloc(0);
    yield crc32(last);
  }
}

function headBytes({ sectors, stripes, rows }: ParityLayout): number {
  return FIXED_BYTES + (sectors + stripes * rows) * CRC_BYTES + SUM_BYTES;
}

type Head = { layout: ParityLayout; data: Uint32Array; paritySums: number[] };

function readHead(bytes: Buffer, packId: string): Head | undefined {
  if (bytes.length < FIXED_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    return undefined;
  }
  const packBytes = bytes.readUIntLE(8, 6);
  const sectorBytes = bytes.readUInt32LE(16);
  const sectors = Math.ceil(packBytes / sectorBytes);
  const stripes = bytes.readUInt32LE(20);
  const layout: ParityLayout = {
    packBytes,
    sectorBytes,
    sectors,
    stripes,
    rows: bytes[6] as number,
  };
  if (!isSoundLayout(layout, MAX_PACK_BYTES) || bytes.length < headBytes(layout)) return undefined;
  const head = bytes.subarray(0, headBytes(layout));
  const sound =
    bytes.toString('hex', ID_AT, ID_AT + 32) === packId &&
    sumOf(head).equals(head.subarray(-SUM_BYTES));
  if (!sound) return undefined;
  const data = new Uint32Array(sectors);
  for (let i = 0; i < sectors; i += 1) data[i] = head.readUInt32LE(FIXED_BYTES + i * CRC_BYTES);
  const paritySums: number[] = [];
  const end = head.length - SUM_BYTES;
  for (let at = FIXED_BYTES + sectors * CRC_BYTES; at < end; at += CRC_BYTES) {
    paritySums.push(head.readUInt32LE(at));
  }
  return { layout, data, paritySums };
}

function lastHead(bytes: Buffer): Buffer {
  if (bytes.length < LENGTH_BYTES) return bytes.subarray(0, 0);
  const end = bytes.length - LENGTH_BYTES;
  return bytes.subarray(Math.max(end - bytes.readUInt32LE(end), 0), end);
}

function sumOf(head: Buffer): Buffer {
  return hash('sha256', head.subarray(0, head.length - SUM_BYTES), 'buffer').subarray(0, SUM_BYTES);
}
