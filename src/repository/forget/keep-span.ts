/** Spans of the calendar as restic writes them: `1y2m3d4h`, where `m` is a month. */

export type KeepSpan = { years: number; months: number; days: number; hours: number };

/** Undefined where the text is no such span, or an empty one. */
export function parseKeepSpan(text: string): KeepSpan | undefined {
  const match = /^(?:(\d{1,4})y)?(?:(\d{1,5})m)?(?:(\d{1,6})d)?(?:(\d{1,7})h)?$/.exec(text.trim());
  if (!match || match[0] === '') return undefined;
  const [years, months, days, hours] = match.slice(1).map((digits) => Number(digits ?? 0)) as [
    number,
    number,
    number,
    number,
  ];
  return years + months + days + hours > 0 ? { years, months, days, hours } : undefined;
}

export function formatKeepSpan({ years, months, days, hours }: KeepSpan): string {
  const parts: [number, string][] = [
    [years, 'y'],
    [months, 'm'],
    [days, 'd'],
    [hours, 'h'],
  ];
  return parts.map(([count, unit]) => (count > 0 ? `${count}${unit}` : '')).join('');
}

/** The instant that lies so far before, by the calendar (UTC): a day that a month doesn't have runs into the next. */
export function beforeMs(atMs: number, { years, months, days, hours }: KeepSpan): number {
  const date = new Date(atMs);
  date.setUTCFullYear(
    date.getUTCFullYear() - years,
    date.getUTCMonth() - months,
    date.getUTCDate() - days,
  );
  return date.getTime() - hours * 3_600_000;
}
