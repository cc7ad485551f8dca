/** Which capture a store is brought back from. */
import {
  type CaptureKind,
  type CaptureRecord,
  listCaptures,
  type Position,
  readCapture,
  type StoreAddress,
} from '#repository';
import { errors } from '../errors.ts';
import type { ChooseRequest } from './request.ts';

const WHOLE_STORE: readonly CaptureKind[] = ['base', 'files'];

export function addressOf(request: ChooseRequest, store: string): StoreAddress {
  return { environment: request.environment, stage: request.stage, store };
}

export type Before = { atMs: number } | { position: Position };

function isBefore(capture: CaptureRecord, before: Before): boolean {
  if ('atMs' in before) return capture.endedAtMs <= before.atMs;
  return capture.end.offset <= before.position.offset;
}

/**
 * The newest capture that was complete by then: of those that are wanted, else of all. Throws `recovery/nothing-captured`, or `recovery/before-window` naming
 * the first instant there is. Newest first, so that only a few records are read.
 */
export async function newestCaptureBefore(
  request: ChooseRequest,
  store: string,
  before: Before,
  isWanted: (capture: CaptureRecord) => boolean = () => true,
): Promise<CaptureRecord> {
  const entries = await listCaptures(request.repository, addressOf(request, store), WHOLE_STORE);
  const newestFirst = entries.sort((a, b) => (a.id < b.id ? 1 : -1));
  let oldest: CaptureRecord | undefined;
  let newest: CaptureRecord | undefined;
  for (const entry of newestFirst) {
    oldest = await readCapture(request.repository, entry);
    if (!isBefore(oldest, before)) continue;
    if (isWanted(oldest)) return oldest;
    newest ??= oldest;
  }
  if (newest) return newest;
  if (!oldest) throw errors.nothingCaptured([store]);
  const wanted =
    'atMs' in before
      ? new Date(before.atMs).toISOString()
      : `position ${before.position.offset.toString(16).toUpperCase()}`;
  throw errors.beforeWindow([store, wanted, new Date(oldest.endedAtMs).toISOString()]);
}

/** The capture that followed, if there is one. */
export async function captureAfter(
  request: ChooseRequest,
  store: string,
  id: string,
): Promise<CaptureRecord | undefined> {
  const entries = await listCaptures(request.repository, addressOf(request, store), WHOLE_STORE);
  const next = entries.sort((a, b) => (a.id < b.id ? -1 : 1)).find((entry) => entry.id > id);
  return next && (await readCapture(request.repository, next));
}
