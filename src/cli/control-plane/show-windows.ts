/** The windows of one store in words, and what lies between them. */
import { formatCounted } from '#base';
import { formatInstant } from '../frame/when.ts';
import type { Schemas } from './client.ts';

type StoreStatus = Schemas['StoreStatus'];

/** A journal that was heard of within this time is told as going on. */
const GOES_ON_WITHIN_MS = 60_000;
/** More than these are told as a number; `--json` has them all. */
const MOST_SHOWN = 12;

/** The newest window: `any second since 10:00`, or where nothing has come for long `any second 10:00 to 11:00`. */
export function newestWindowText(store: StoreStatus, nowMs: number): string | undefined {
  const window = store.windows.at(-1);
  return window && windowText(store, window, nowMs);
}

/** Oldest first: each window where there are several, each gap. */
export function windowLines(store: StoreStatus, nowMs: number): string[] {
  const windows = store.windows.length > 1 ? store.windows : [];
  const told = [
    ...windows.map((window) => ({
      fromMs: window.fromMs,
      text: windowText(store, window, nowMs),
    })),
    ...store.gaps.map((gap) => ({ fromMs: gap.fromMs, text: gapText(gap, nowMs) })),
  ].sort((a, b) => a.fromMs - b.fromMs);
  const shown = told.slice(-MOST_SHOWN).map(({ text }) => text);
  const left = told.length - shown.length;
  return left === 0 ? shown : [`${formatCounted(left, 'earlier span')}: see --json`, ...shown];
}

function windowText(
  { windows, lagMs }: StoreStatus,
  window: StoreStatus['windows'][number],
  nowMs: number,
): string {
  const from = formatInstant(window.fromMs, nowMs);
  const goesOn = window === windows.at(-1) && (lagMs ?? 0) <= GOES_ON_WITHIN_MS;
  return goesOn
    ? `any second since ${from}`
    : `any second ${from} to ${formatInstant(window.toMs, nowMs)}`;
}

function gapText({ fromMs, toMs, because }: StoreStatus['gaps'][number], nowMs: number): string {
  const to = toMs === undefined ? 'now' : formatInstant(toMs, nowMs);
  return `gap ${formatInstant(fromMs, nowMs)} to ${to}: ${because}`;
}
