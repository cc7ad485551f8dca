/** Which part of a repository a check reads. */
import { parseSizeBytes } from '#base';
import { errors } from '../errors.ts';
import type { ReadUnit } from './read-units.ts';
import { leastRecentlyRead, planRotation, type Readings, type RotationPeriod } from './rotation.ts';

export type ReadSelection =
  | { kind: 'all' }
  /** The least recently read: a share of all bytes (0 to 1), or so many bytes; one file at least. */
  | { kind: 'share'; share: number }
  | { kind: 'bytes'; bytes: number }
  /** One of `of` parts of about the same size, from 1; always the same files. */
  | { kind: 'part'; part: number; of: number }
  /** What a rotation has next. */
  | ({ kind: 'rotation' } & RotationPeriod);

/** A part's number is compared with one byte of an id. */
const MOST_PARTS = 256;

/** `1%`, `2/7`, `500M`, `10GiB` as restic takes them. Throws `repository/subset-invalid`. */
export function parseSelection(text: string): ReadSelection {
  const share = /^(\d+(?:\.\d+)?)%$/.exec(text);
  if (share && Number(share[1]) > 0 && Number(share[1]) <= 100) {
    return { kind: 'share', share: Number(share[1]) / 100 };
  }
  const [, part, of] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).map(Number);
  if (part && of && part <= of && of <= MOST_PARTS) return { kind: 'part', part, of };
  const bytes = parseSizeBytes(text.replace(/([KMGT])$/i, (unit) => `${unit.toUpperCase()}iB`));
  if (bytes) return { kind: 'bytes', bytes };
  throw errors.subsetInvalid([text]);
}

export function select(
  selection: ReadSelection,
  units: readonly ReadUnit[],
  readings: Readings,
  nowMs: number,
): ReadUnit[] {
  switch (selection.kind) {
    case 'all':
      return [...units];
    case 'share': {
      const total = units.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      return oldest(units, readings, total * selection.share);
    }
    case 'bytes':
      return oldest(units, readings, selection.bytes);
    case 'part':
      return units.filter(
        ({ key }) => Number.parseInt(key.slice(0, 2), 16) % selection.of === selection.part - 1,
      );
    case 'rotation':
      return planRotation(units, readings, selection, nowMs).units;
  }
}

function oldest(units: readonly ReadUnit[], readings: Readings, bytes: number): ReadUnit[] {
  const chosen: ReadUnit[] = [];
  let sum = 0;
  for (const unit of leastRecentlyRead(units, readings)) {
    if (sum >= bytes) break;
    chosen.push(unit);
    sum += unit.sizeBytes;
  }
  return chosen;
}
