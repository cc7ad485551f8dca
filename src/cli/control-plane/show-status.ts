/** `holdfast status` in 80 columns: each store's window, lag, last capture and sizes; what is missed in plain words. */
import { formatCount, formatDuration, formatSize } from '#base';
import { cutTo, type Mark, type Row, tableLines, wrapText } from '../frame/table.ts';
import { formatInstant } from '../frame/when.ts';
import type { Schemas } from './client.ts';
import { maintenanceLines } from './show-maintenance.ts';
import { proofStatusLines } from './show-proofs.ts';
import { newestWindowText, windowLines } from './show-windows.ts';

type Status = Schemas['Status'];
type StoreStatus = Schemas['StoreStatus'];

const MARKS: Record<StoreStatus['verdict'], Mark> = {
  met: '✓',
  missed: '!',
  unknown: '?',
  excluded: '·',
};

export function statusLines(status: Status, columns: number): string[] {
  const width = Math.min(columns, 80);
  const name = `${status.environment}/${status.stage}`;
  if (status.trouble !== undefined) {
    return [
      `✗ ${name} isn't protected`,
      ...wrapText(status.trouble, width - 2).map((line) => `  ${line}`),
      '',
      'Mend what it says, then: holdfast apply',
    ];
  }
  const remarks = [
    ...status.stores.flatMap((store) => remarksOf(store, status.atMs, width)),
    ...maintenanceLines(status.maintenance, status.atMs, width),
    ...proofStatusLines(status.proofs, status.atMs, width),
  ];
  return [
    `${name} · ${headline(status)}`,
    '',
    ...tableLines(
      [
        { title: 'STORE', shrinkTo: 8 },
        { title: 'RECOVERABLE', shrinkTo: 12 },
        { title: 'LAG' },
        { title: 'CAPTURED' },
        { title: 'SIZE' },
        { title: 'STORED' },
      ],
      status.stores.map((store) => rowOf(store, status.atMs)),
      width,
    ),
    ...(remarks.length === 0 ? [] : ['', ...remarks]),
    '',
    closing(status),
  ];
}

function headline({ stores, points, atMs }: Status): string {
  const journaled = stores.find((store) => store.windows.length > 0);
  const newest = journaled && newestWindowText(journaled, atMs);
  if (newest !== undefined) return `${journaled?.name}: ${newest}`;
  return `${formatCount(points)} recovery point${points === 1 ? '' : 's'}`;
}

function rowOf(store: StoreStatus, nowMs: number): Row {
  const { verdict, name, lagMs, lastCapture, sizeBytes, storedBytes } = store;
  return {
    mark: MARKS[verdict],
    cells: [
      name,
      verdict === 'excluded' ? `"${store.says ?? ''}"` : recoverable(store, nowMs),
      lagMs === undefined ? '-' : formatDuration(lagMs),
      lastCapture ? formatInstant(lastCapture.atMs, nowMs) : '-',
      sizeBytes === undefined ? '-' : formatSize(sizeBytes),
      storedBytes === undefined ? '-' : formatSize(storedBytes),
    ],
  };
}

function recoverable(store: StoreStatus, nowMs: number): string {
  const newest = newestWindowText(store, nowMs);
  if (newest !== undefined) return newest;
  const { captures, recoverableSinceMs } = store;
  if (recoverableSinceMs === undefined) return 'nothing yet';
  const counted = `${formatCount(captures)} capture${captures === 1 ? '' : 's'}`;
  return `${counted} since ${formatInstant(recoverableSinceMs, nowMs)}`;
}

/** Beneath the table: what is missed and why, gaps, what goes on, where a journal stands. */
function remarksOf(store: StoreStatus, nowMs: number, width: number): string[] {
  const told: string[] = [];
  if (store.verdict !== 'excluded' && store.says !== undefined) told.push(store.says);
  if (store.running) told.push(runningText(store.running));
  if (store.lastCapture?.madeOf !== undefined)
    told.push('captured off production: of the base before and the journal');
  told.push(...windowLines(store, nowMs));
  if (store.journal) told.push(journalText(store));
  const name = cutTo(store.name, 22);
  const indent = Math.max(9, name.length + 2);
  const lines = told.flatMap((text) => wrapText(text, width - indent));
  return lines.map((line, at) => `${(at === 0 ? name : '').padEnd(indent)}${line}`);
}

function runningText({ step, doneBytes, totalBytes }: NonNullable<StoreStatus['running']>): string {
  if (doneBytes === undefined) return `under way: ${step}`;
  const of = totalBytes === undefined ? '' : ` of ${formatSize(totalBytes)}`;
  return `under way: ${step}, ${formatSize(doneBytes)}${of}`;
}

function journalText(store: StoreStatus): string {
  const { journal } = store;
  if (!journal) return '';
  const stands = [
    journal.synced && `received ${positionText(journal.synced)}`,
    journal.shipped && `in the repository ${positionText(journal.shipped)}`,
  ].filter((text) => text !== undefined);
  return [`journal ${journal.state}`, ...stands].join(', ');
}

/** As Postgres writes it: `0/1A2B3C`. */
function positionText({ offset }: { offset: string }): string {
  const value = BigInt(offset);
  const low = (value & 0xffff_ffffn).toString(16).toUpperCase();
  return `${(value >> 32n).toString(16).toUpperCase()}/${low}`;
}

/** An objective is missed or unknown, or something of the repository or of proofs must be known. */
export function isBad({ trouble, missed, unknown, maintenance, proofs }: Status): boolean {
  const findings = (maintenance?.findings.length ?? 0) + (proofs?.findings.length ?? 0);
  return trouble !== undefined || missed + unknown + findings > 0;
}

function closing({ missed, unknown, maintenance, proofs }: Status): string {
  const counts = [
    missed > 0 ? `${missed} objective${missed === 1 ? '' : 's'} missed` : undefined,
    unknown > 0 ? `${unknown} unknown` : undefined,
    maintenance && maintenance.findings.length > 0 ? 'the repository needs you' : undefined,
    proofs && proofs.findings.length > 0 ? 'not proven' : undefined,
  ].filter((text) => text !== undefined);
  if (counts.length > 0) return `${counts.join(', ')}. Look again: holdfast status`;
  return 'All objectives met. Bring it back: holdfast recover --to "5m ago"';
}
