/**
 * Records as bytes: one JSON object `{"record":"capture","version":1,"value":{…}}`, 64-bit numbers as decimal text.
 * Decoding checks every field, so that a damaged or foreign record is named and never half believed.
 */
import { messageOf } from '#base';
import { errors } from '../errors.ts';
import type {
  CaptureRecord,
  JournalGap,
  JournalLine,
  Mark,
  Mend,
  Position,
  Proof,
  ProofCheck,
  RecoveryPoint,
  RootMetadata,
  StoreAddress,
  Watermark,
} from './records.ts';
import * as shape from './shape.ts';

/** What this version writes, and the newest it can read. */
const VERSION = 1;
const MAX_RECORD_BYTES = 32 * 2 ** 20;

const checkedName = shape.text({
  max: 100,
  pattern: /^[a-z0-9-]+$/,
  what: 'a name of a-z, 0-9, -',
});
const id = shape.text({ max: 100, pattern: /^[A-Za-z0-9-]+$/, what: 'an id' });
const hexId = shape.text({ max: 64, pattern: /^[0-9a-f]{64}$/, what: 'an id of 64 hex digits' });

const position = shape.object<Position>({ line: shape.count, offset: shape.unsigned64 });
const address = shape.object<StoreAddress>({
  environment: checkedName,
  stage: checkedName,
  store: checkedName,
});

const root = shape.object<RootMetadata>({
  permissions: shape.count,
  uid: shape.count,
  gid: shape.count,
  user: shape.text({ max: 1000 }),
  group: shape.text({ max: 1000 }),
  mtimeNs: shape.signed,
  xattrs: shape.list(
    shape.object<RootMetadata['xattrs'][number]>({
      name: shape.text({ max: 1000 }),
      value: shape.text({ max: 128 * 1024 }),
    }),
    1000,
  ),
});

const capture = shape.object<CaptureRecord>({
  id,
  address,
  source: shape.text({ max: 100 }),
  kind: shape.oneOf('base', 'files', 'journal-batch', 'infrastructure', 'catalog'),
  snapshot: hexId,
  startedAtMs: shape.finite,
  endedAtMs: shape.finite,
  start: position,
  end: position,
  clock: shape.object<CaptureRecord['clock']>({
    offsetMs: shape.finite,
    uncertaintyMs: shape.finite,
  }),
  chunkSizeBytes: shape.count,
  blockMap: shape.optional(shape.text({ max: 1000, pattern: /^blocks\/[\w/-]+$/ })),
  root: shape.optional(root),
  facts: shape.byName(shape.json),
  statistics: shape.object<CaptureRecord['statistics']>({
    files: shape.count,
    directories: shape.count,
    bytes: shape.count,
    newBytes: shape.count,
    storedBytes: shape.count,
  }),
  problems: shape.list(
    shape.object<CaptureRecord['problems'][number]>({ path: shape.text(), what: shape.text() }),
    1000,
  ),
  problemCount: shape.count,
});

const point = shape.object<RecoveryPoint>({
  id,
  environment: checkedName,
  stage: checkedName,
  atMs: shape.finite,
  stores: shape.byName(shape.object<{ capture: string }>({ capture: id })),
  infrastructure: shape.optional(id),
  services: shape.byName(
    shape.object<{ version?: string }>({ version: shape.optional(shape.text({ max: 1000 })) }),
  ),
});

const mark = shape.object<Mark>({
  id,
  environment: checkedName,
  stage: checkedName,
  kind: shape.text({ max: 200 }),
  atMs: shape.finite,
  sha: shape.optional(shape.text({ max: 200 })),
  author: shape.optional(shape.text({ max: 1000 })),
  note: shape.optional(shape.text()),
  positions: shape.byName(position),
});

const verdict = shape.oneOf('pass', 'fail', 'unknown');

const proof = shape.object<Proof>({
  id,
  environment: checkedName,
  stage: checkedName,
  instantMs: shape.finite,
  point: shape.optional(id),
  startedAtMs: shape.finite,
  endedAtMs: shape.finite,
  verdict,
  checks: shape.list(
    shape.object<ProofCheck>({
      name: shape.text({ max: 1000 }),
      verdict,
      what: shape.text({ max: 10_000 }),
      tookMs: shape.finite,
    }),
    10_000,
  ),
  phases: shape.list(
    shape.object<Proof['phases'][number]>({
      phase: shape.text({ max: 100 }),
      tookMs: shape.finite,
    }),
    100,
  ),
  stores: shape.byName(
    shape.object<Proof['stores'][string]>({
      capture: id,
      atMs: shape.finite,
      position: shape.optional(position),
    }),
  ),
  readBytes: shape.count,
  cpuMs: shape.finite,
  digest: hexId,
  declaration: hexId,
  by: shape.object<Proof['by']>({
    version: shape.text({ max: 200 }),
    host: shape.text({ max: 1000 }),
    controlPlane: shape.optional(shape.text({ max: 200 })),
  }),
});

const gap = shape.object<JournalGap>({
  id,
  address,
  from: position,
  to: shape.optional(position),
  fromMs: shape.finite,
  toMs: shape.optional(shape.finite),
  because: shape.text(),
});

const line = shape.object<JournalLine>({
  line: shape.count,
  parent: shape.count,
  forkOffset: shape.unsigned64,
  raw: shape.text({ max: 4 * 2 ** 20 }),
});

const watermark = shape.object<Watermark>({ atMs: shape.finite, position });

const mend = shape.object<Mend>({
  id,
  atMs: shape.finite,
  by: shape.text({ max: 100 }),
  name: shape.text({ max: 1024 }),
  what: shape.text({ max: 10_000 }),
});

const shapes = { capture, point, mark, proof, gap, line, watermark, mend };

export type RecordKind = keyof typeof shapes;
export type RecordOf<K extends RecordKind> = ReturnType<(typeof shapes)[K]>;

/** Throws `repository/record-invalid` where a value couldn't be read again: better now than at recovery. */
export function encodeRecord<K extends RecordKind>(
  kind: K,
  value: RecordOf<K>,
  name: string,
): Buffer {
  const text = JSON.stringify({ record: kind, version: VERSION, value }, (_key, field) =>
    typeof field === 'bigint' ? field.toString() : field,
  );
  const bytes = Buffer.from(text);
  decodeRecord(kind, bytes, name);
  return bytes;
}

/** Throws `repository/record-invalid`, naming the file and field, or `repository/record-too-new`. */
export function decodeRecord<K extends RecordKind>(
  kind: K,
  bytes: Uint8Array,
  name: string,
): RecordOf<K> {
  try {
    if (bytes.length > MAX_RECORD_BYTES)
      throw new shape.ShapeError('', `at most ${MAX_RECORD_BYTES} bytes`);
    const envelope = envelopeShape(JSON.parse(Buffer.from(bytes).toString('utf8')), '');
    if (envelope.record !== kind) throw new shape.ShapeError('record', `'${kind}'`);
    if (envelope.version > VERSION) throw errors.recordTooNew([name, envelope.version]);
    return shapes[kind](envelope.value, '') as RecordOf<K>;
  } catch (error) {
    if (error instanceof shape.ShapeError || error instanceof SyntaxError)
      throw errors.recordInvalid([name, messageOf(error)], { cause: error });
    throw error;
  }
}

type Envelope = { record: string; version: number; value: unknown };

const envelopeShape = shape.object<Envelope>({
  record: shape.text({ max: 100 }),
  version: shape.count,
  value: shape.json,
});
