/**
 * Names of records among the repository's sealed files (that is: below `holdfast/`). They sort by environment, stage,
 * store and time, and carry what a listing needs, so that thousands of records are looked through without reading one.
 */
import { errors } from '../errors.ts';
import type { CaptureKind, CaptureRecord, Position, StoreAddress } from './records.ts';

const NAME = /^[a-z0-9-]{1,100}$/;

function checked(name: string): string {
  if (!NAME.test(name)) throw errors.addressInvalid([name]);
  return name;
}

export function storeFolder(
  kind: 'captures' | 'journal' | 'blocks',
  address: StoreAddress,
): string {
  const { environment, stage, store } = address;
  return `${kind}/${checked(environment)}/${checked(stage)}/${checked(store)}/`;
}

export function environmentFolder(
  kind: 'points' | 'marks' | 'proofs',
  environment: string,
  stage: string,
): string {
  return `${kind}/${checked(environment)}/${checked(stage)}/`;
}

const hex = (value: number | bigint, digits: number) => value.toString(16).padStart(digits, '0');
export const lineHex = (line: number) => hex(line, 8);
export const offsetHex = (offset: bigint) => hex(offset, 16);

/** Milliseconds as 13 digits: sorts by time until the year 2286. Never negative. */
const msText = (ms: number) => Math.max(0, Math.floor(ms)).toString().padStart(13, '0');

/** The instant in an id made by `timedId`, ms since 1970; undefined for any other id. */
export function timeOfId(id: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-/.exec(id);
  if (!match) return undefined;
  const [year, month, day, hour, minute, second, ms] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return Date.UTC(year, month - 1, day, hour, minute, second, ms);
}

// ---------------------------------------------------------------- captures

/** A capture as its name tells it. Batches of the journal carry their span, so that none is read to be found. */
export type CaptureEntry = {
  name: string;
  address: StoreAddress;
  id: string;
  kind: CaptureKind;
  span?: NamedSpan;
};

/** A stretch of one line as a name tells it. */
export type NamedSpan = { line: number; from: bigint; to: bigint; latestMs: number };

/** `latestMs` is needed for a journal batch alone: the latest instant within it. */
export function captureName(record: CaptureRecord, latestMs = record.endedAtMs): string {
  if (record.kind !== 'journal-batch')
    return `${storeFolder('captures', record.address)}${record.id}.${record.kind}`;
  const span = {
    line: record.start.line,
    from: record.start.offset,
    to: record.end.offset,
    latestMs,
  };
  return `${batchesFolder(record.address)}${spanName(span)}-${record.id}`;
}

const CAPTURE =
  /^captures\/([a-z0-9-]+)\/([a-z0-9-]+)\/([a-z0-9-]+)\/([\w-]+)\.(base|files|infrastructure|catalog)$/;
const BATCH =
  /^journal\/([a-z0-9-]+)\/([a-z0-9-]+)\/([a-z0-9-]+)\/batches\/([0-9a-f]{8}\/[0-9a-f]{16}-[0-9a-f]{16}-\d+)-([\w-]+)$/;

/** Undefined for a name that isn't a capture's. */
export function parseCaptureName(name: string): CaptureEntry | undefined {
  const plain = CAPTURE.exec(name);
  if (plain) {
    const [environment, stage, store, id, kind] = plain.slice(1) as [
      string,
      string,
      string,
      string,
      CaptureKind,
    ];
    return { name, address: { environment, stage, store }, id, kind };
  }
  const batch = BATCH.exec(name);
  if (!batch) return undefined;
  const [environment, stage, store, spanText, id] = batch.slice(1) as [
    string,
    string,
    string,
    string,
    string,
  ];
  const span = parseSpan(spanText);
  if (!span) return undefined;
  return { name, address: { environment, stage, store }, id, kind: 'journal-batch', span };
}

// ---------------------------------------------------------------- journal

export function piecesFolder(address: StoreAddress): string {
  return `${storeFolder('journal', address)}pieces/`;
}

export function batchesFolder(address: StoreAddress): string {
  return `${storeFolder('journal', address)}batches/`;
}

/** `<line>/<from>-<to>-<latest ms>`. */
export function spanName(span: NamedSpan): string {
  return `${lineHex(span.line)}/${offsetHex(span.from)}-${offsetHex(span.to)}-${msText(span.latestMs)}`;
}

/** Undefined where the text is no span, or an empty or backward one. */
export function parseSpan(spanText: string): NamedSpan | undefined {
  const match = /^([0-9a-f]{8})\/([0-9a-f]{16})-([0-9a-f]{16})-(\d{1,16})$/.exec(spanText);
  if (!match) return undefined;
  const [line, from, to, latest] = match.slice(1) as [string, string, string, string];
  const span = {
    line: Number.parseInt(line, 16),
    from: BigInt(`0x${from}`),
    to: BigInt(`0x${to}`),
    latestMs: Number(latest),
  };
  return span.from < span.to ? span : undefined;
}

export function lineName(address: StoreAddress, line: number): string {
  return `${storeFolder('journal', address)}lines/${lineHex(line)}`;
}

export function gapName(address: StoreAddress, from: Position, id: string): string {
  return `${storeFolder('journal', address)}gaps/${lineHex(from.line)}-${offsetHex(from.offset)}-${id}`;
}

export const MENDS_FOLDER = 'mends/';

/** `id` is one that sorts by time. */
export function mendName(id: string): string {
  return `${MENDS_FOLDER}${id}`;
}

export function watermarkName(address: StoreAddress, atMs: number, position: Position): string {
  return `${storeFolder('journal', address)}watermarks/${msText(atMs)}-${lineHex(position.line)}-${offsetHex(position.offset)}`;
}

/** Undefined where the name isn't a watermark's. */
export function parseWatermarkName(name: string): { atMs: number; position: Position } | undefined {
  const match = /\/watermarks\/(\d{1,16})-([0-9a-f]{8})-([0-9a-f]{16})$/.exec(name);
  if (!match) return undefined;
  const [at, line, offset] = match.slice(1) as [string, string, string];
  return {
    atMs: Number(at),
    position: { line: Number.parseInt(line, 16), offset: BigInt(`0x${offset}`) },
  };
}
