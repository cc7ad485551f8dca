/**
 * Progress on a terminal: one line per step under way, drawn over itself on standard error, with the time that is left.
 * In a pipe nothing is drawn.
 */
import { type Clock, formatCount, formatDuration, formatSize, type Progress } from '#base';
import { cutTo } from './table.ts';

type Step = { startedMs: number; latest: Progress };

export type ProgressBar = {
  show(progress: Progress): void;
  /** Takes the bar off the screen, so that a line may be written; the next `show` draws it again. */
  clear(): void;
};

const REDRAW_MS = 100;
/** A step shorter than this isn't worth a flicker. */
const PATIENCE_MS = 700;
const MOST_LINES = 6;

export const noProgressBar: ProgressBar = { show() {}, clear() {} };

export function progressBar(
  write: (text: string) => void,
  columns: () => number,
  clock: Clock,
): ProgressBar {
  const steps = new Map<string, Step>();
  let drawnLines = 0;
  let drawnAtMs = Number.NEGATIVE_INFINITY;

  const clear = () => {
    if (drawnLines > 0) write(`\r\x1b[${drawnLines}A\x1b[J`);
    drawnLines = 0;
  };
  return {
    clear,
    show(progress) {
      const nowMs = clock.monotonicMs();
      const known = steps.get(progress.step);
      if (progress.ended) steps.delete(progress.step);
      else steps.set(progress.step, { startedMs: known?.startedMs ?? nowMs, latest: progress });
      if (nowMs - drawnAtMs < REDRAW_MS && !progress.ended) return;
      clear();
      const lines = [...steps.values()]
        .filter((step) => nowMs - step.startedMs >= PATIENCE_MS)
        .slice(0, MOST_LINES)
        .map((step) => cutTo(progressLine(step.latest, nowMs - step.startedMs), columns() - 1));
      if (lines.length > 0) write(`${lines.join('\n')}\n`);
      drawnLines = lines.length;
      drawnAtMs = nowMs;
    },
  };
}

/** `orders: base backup  ████████░░░░ 64%  1.2 GiB of 1.9 GiB  3s left` */
export function progressLine(progress: Progress, elapsedMs: number): string {
  const part = fraction(progress);
  const pieces = [progress.step];
  if (part !== undefined) pieces.push(`${bar(part)} ${Math.floor(part * 100)}%`);
  const amount = amountOf(progress);
  if (amount !== undefined) pieces.push(amount);
  if (part !== undefined && part > 0.02 && part < 1) {
    pieces.push(`${formatDuration((elapsedMs / part) * (1 - part))} left`);
  } else {
    pieces.push(formatDuration(elapsedMs));
  }
  return pieces.join('  ');
}

function fraction(progress: Progress): number | undefined {
  const { doneBytes, totalBytes, doneItems, totalItems } = progress;
  if (doneBytes !== undefined && totalBytes) return Math.min(1, doneBytes / totalBytes);
  if (doneItems !== undefined && totalItems) return Math.min(1, doneItems / totalItems);
  return undefined;
}

function amountOf(progress: Progress): string | undefined {
  if (progress.doneBytes !== undefined) {
    const of = progress.totalBytes ? ` of ${formatSize(progress.totalBytes)}` : '';
    return `${formatSize(progress.doneBytes)}${of}`;
  }
  if (progress.doneItems !== undefined) {
    const of = progress.totalItems ? ` of ${formatCount(progress.totalItems)}` : '';
    return `${formatCount(progress.doneItems)}${of}`;
  }
  return undefined;
}

function bar(part: number): string {
  const filled = Math.round(part * 12);
  return '█'.repeat(filled) + '░'.repeat(12 - filled);
}
