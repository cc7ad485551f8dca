/** From what a person says (WHEN) to one instant and, where it is known exactly, one position per store. */
import { type Mark, type Position, readMarks } from '#repository';
import type { Target } from '#sources';
import { errors } from '../errors.ts';
import type { When } from '../request.ts';
import type { ChooseRequest } from './request.ts';

/** Clocks may disagree a little: an instant this far ahead still counts as now. */
const FUTURE_TOLERANCE_MS = 2_000;

export type Aim = {
  /** Holdfast's clock; undefined where only the leader's journal can tell it. */
  atMs: number | undefined;
  title: string;
  /** What the leader is brought to. */
  leader: Target;
  /** Positions noted with the instant, by store: exact where a clock would not be. */
  positions: Record<string, Position>;
};

export async function aimAt(request: ChooseRequest): Promise<Aim> {
  const { when, nowMs } = request;
  switch (when.kind) {
    case 'latest':
      return { atMs: nowMs, title: 'latest', leader: { kind: 'end' }, positions: {} };
    case 'time':
      return aimAtTime(when.atMs, nowMs);
    case 'before-mark':
      return aimBefore(await findMark(request, when));
    case 'lsn':
      return {
        atMs: undefined,
        title: `position ${when.lsn.toString(16).toUpperCase()}`,
        leader: { kind: 'position', position: { line: request.line ?? 0, offset: when.lsn } },
        positions: {},
      };
    case 'restore-point':
      return {
        atMs: undefined,
        title: `restore point ${when.name}`,
        leader: { kind: 'name', name: when.name },
        positions: {},
      };
  }
}

function aimAtTime(atMs: number, nowMs: number): Aim {
  const title = new Date(atMs).toISOString();
  if (atMs > nowMs + FUTURE_TOLERANCE_MS) throw errors.instantInFuture([title]);
  return { atMs, title, leader: { kind: 'time', atMs }, positions: {} };
}

function aimBefore(mark: Mark): Aim {
  const named = mark.sha ?? mark.note ?? '';
  const by = mark.author ? ` (${mark.author})` : '';
  return {
    atMs: mark.atMs,
    title: `last commit before ${mark.kind} ${named}${by}`.replace(/ +/g, ' '),
    leader: { kind: 'time', atMs: mark.atMs },
    positions: mark.positions,
  };
}

/** The newest mark of the kind; a name is the beginning of its sha, its note or its id. */
async function findMark(
  request: ChooseRequest,
  when: Extract<When, { kind: 'before-mark' }>,
): Promise<Mark> {
  const marks = await readMarks(request.repository, request.environment, request.stage);
  const { name } = when;
  const fits = (mark: Mark) =>
    mark.kind === when.markKind &&
    (name === undefined || mark.sha?.startsWith(name) || mark.note === name || mark.id === name);
  const found = marks.filter(fits).at(-1);
  if (!found) throw errors.noSuchMark([`${when.markKind} ${name ?? ''}`.trim()]);
  return found;
}
