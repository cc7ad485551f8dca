/** Contents in their order, though packs are read in theirs: a window at a time, the next one read while one goes out. */
import type { Repository } from '#repository';

/** Bytes as they are, or the place of a blob: `zeros` of its length where it is lost. */
export type Part =
  | { kind: 'bytes'; bytes: Buffer }
  | { kind: 'blob'; id: Buffer; lengthBytes: number; onLost: (error: Error) => void }
  | { kind: 'zeros'; lengthBytes: number };

export type ContentReader = Pick<Repository, 'index' | 'readBlobs'>;

/** Two windows are in memory at once. */
const WINDOW_BYTES = 16 * 1024 * 1024;
/** Where there are hardly any contents, something still goes out now and then. */
const WINDOW_PARTS = 4096;
const MAX_BYTES_IN_FLIGHT = 32 * 1024 * 1024;
const ZEROS = Buffer.alloc(256 * 1024);

type Window = { parts: Part[]; blobs: Map<string, Buffer> };

/** Pieces hold until the next one is asked for. Rejects with the signal's reason. */
export async function* inOrder(
  reader: ContentReader,
  parts: AsyncIterable<Part>,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const source = parts[Symbol.asyncIterator]();
  let coming = fetchWindow(reader, source, signal);
  for (;;) {
    const window = await coming;
    if (!window) return;
    coming = fetchWindow(reader, source, signal);
    // Its failure is met when its turn comes.
    coming.catch(() => {});
    yield* piecesOf(window);
  }
}

async function fetchWindow(
  reader: ContentReader,
  source: AsyncIterator<Part>,
  signal: AbortSignal | undefined,
): Promise<Window | undefined> {
  const parts: Part[] = [];
  const blobs = new Map<string, Buffer>();
  const losses = new Map<string, ((error: Error) => void)[]>();
  const wanted: Buffer[] = [];
  for (let bytes = 0; bytes < WINDOW_BYTES && parts.length < WINDOW_PARTS; ) {
    const next = await source.next();
    if (next.done) break;
    const part = next.value;
    parts.push(part);
    if (part.kind !== 'blob') {
      bytes += part.kind === 'bytes' ? part.bytes.length : 0;
      continue;
    }
    const key = part.id.toString('latin1');
    const told = losses.get(key);
    if (told) told.push(part.onLost);
    else {
      losses.set(key, [part.onLost]);
      wanted.push(part.id);
      bytes += part.lengthBytes;
    }
  }
  if (parts.length === 0) return undefined;
  await reader.readBlobs(
    'data',
    Buffer.concat(wanted),
    // They are valid only until this returns.
    (id, bytes) => void blobs.set(id.toString('latin1'), Buffer.from(bytes)),
    {
      ...(signal && { signal }),
      maxBytesInFlight: MAX_BYTES_IN_FLIGHT,
      onDamaged: (id, error) => {
        for (const onLost of losses.get(id.toString('latin1')) ?? []) onLost(error);
      },
    },
  );
  return { parts, blobs };
}

function* piecesOf({ parts, blobs }: Window): Generator<Buffer> {
  for (const part of parts) {
    if (part.kind === 'bytes') yield part.bytes;
    else if (part.kind === 'zeros') yield* zeros(part.lengthBytes);
    else {
      const bytes = blobs.get(part.id.toString('latin1'));
      if (bytes) yield bytes;
      else yield* zeros(part.lengthBytes);
    }
  }
}

function* zeros(lengthBytes: number): Generator<Buffer> {
  for (let left = lengthBytes; left > 0; left -= ZEROS.length) {
    yield left >= ZEROS.length ? ZEROS : ZEROS.subarray(0, left);
  }
}
