/** Durations and sizes as people write them (`5s`, `30d`, `20GiB`) and as they are shown. */

const DURATION_UNITS_MS: Record<string, number> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

const SIZE_UNITS: Record<string, number> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
};

/** Milliseconds, or undefined where the text is no duration. `1h30m` adds up; a bare `0` is zero. */
export function parseDurationMs(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed === '0') return 0;
  if (!/^(\d+(\.\d+)?(ms|[smhdwy]))+$/.test(trimmed)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdwy])/g)) {
    totalMs += Number(amount) * (DURATION_UNITS_MS[unit as string] as number);
  }
  return totalMs;
}

/** Bytes, or undefined where the text is no size. */
export function parseSizeBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]i?B|B)?$/.exec(text.trim());
  if (!match) return undefined;
  return Math.round(Number(match[1]) * (SIZE_UNITS[match[2] ?? 'B'] as number));
}

/** `0.8s`, `42s`, `14m`, `3h 20m`, `2d 4h`: at most two units, short enough for a table. */
export function formatDuration(durationMs: number): string {
  const abs = Math.abs(durationMs);
  const sign = durationMs < 0 ? '-' : '';
  if (abs < 9_950) return `${sign}${(abs / 1000).toFixed(1)}s`;
  const seconds = Math.round(abs / 1000);
  if (seconds < 60) return `${sign}${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60)
    return `${sign}${minutes}m${minutes < 10 && seconds % 60 ? ` ${seconds % 60}s` : ''}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${sign}${hours}h${minutes % 60 ? ` ${minutes % 60}m` : ''}`;
  const days = Math.floor(hours / 24);
  return `${sign}${days}d${hours % 24 ? ` ${hours % 24}h` : ''}`;
}

/** `96 MiB`, `1.4 GiB`, `512 B`. Binary units. */
export function formatSize(sizeBytes: number | bigint): string {
  let value = Number(sizeBytes);
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit > 0 && Math.abs(value) < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** `184`, `12,310`; of whole numbers. By hand, because Intl takes 50 ms to load for it. */
export function formatCount(count: number | bigint): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 snapshot`, `12,310 snapshots`. */
export function formatCounted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}
