/**
 * Tables as the screens show them: a mark, columns two spaces apart, never wider than the screen. What doesn't fit is
 * cut in the columns that allow it, widest first, and ends in `…`.
 */

export type Mark = '✓' | '!' | '✗' | '?' | '·' | ' ';

export type Column = {
  title: string;
  align?: 'left' | 'right';
  /** May be cut to this many characters where the screen is narrow. Absent: never cut. */
  shrinkTo?: number;
};

export type Row = { mark?: Mark; cells: readonly string[] };

const GAP = '  ';

/** Lines without trailing spaces; the first is the header. */
export function tableLines(columns: readonly Column[], rows: readonly Row[], width = 80): string[] {
  const marked = rows.some((row) => row.mark !== undefined);
  const widths = fitWidths(columns, rows, width - (marked ? 2 : 0));
  const line = (mark: string, cells: readonly string[]) => {
    const text = columns.map((column, at) => pad(cells[at] ?? '', widths[at] ?? 0, column.align));
    return `${marked ? `${mark} ` : ''}${text.join(GAP)}`.trimEnd();
  };
  return [
    line(
      ' ',
      columns.map((column) => column.title),
    ),
    ...rows.map((row) => line(row.mark ?? ' ', row.cells)),
  ];
}

/** Cells on a screen, not UTF-16 units: combining marks take none, wide characters two. */
export function displayWidth(text: string): number {
  let cells = 0;
  for (const character of text) {
    if (/\p{Mark}|\p{Cf}/u.test(character)) continue;
    cells += WIDE.test(character) ? 2 : 1;
  }
  return cells;
}

/** The text within so many cells, its end replaced by `…` where it is longer. */
export function cutTo(text: string, cells: number): string {
  if (displayWidth(text) <= cells) return text;
  let kept = '';
  let used = 0;
  for (const character of text) {
    const wide = displayWidth(character);
    if (used + wide > cells - 1) break;
    kept += character;
    used += wide;
  }
  return `${kept}…`;
}

/** Lines of at most `width` cells, broken at spaces where there are some. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  if (line !== '' || lines.length === 0) lines.push(line);
  return lines;
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

function fitWidths(columns: readonly Column[], rows: readonly Row[], width: number): number[] {
  const widths = columns.map((column, at) =>
    Math.max(displayWidth(column.title), ...rows.map((row) => displayWidth(row.cells[at] ?? ''))),
  );
  const total = () => widths.reduce((sum, one) => sum + one, 0) + GAP.length * (widths.length - 1);
  while (total() > width) {
    const widest = widestShrinkable(columns, widths);
    if (widest === undefined) break;
    widths[widest] = (widths[widest] as number) - 1;
  }
  return widths;
}

function widestShrinkable(columns: readonly Column[], widths: readonly number[]) {
  let widest: number | undefined;
  for (const [at, column] of columns.entries()) {
    if (column.shrinkTo === undefined || (widths[at] ?? 0) <= column.shrinkTo) continue;
    if (widest === undefined || (widths[at] ?? 0) > (widths[widest] ?? 0)) widest = at;
  }
  return widest;
}

function pad(text: string, cells: number, align: 'left' | 'right' = 'left'): string {
  const cut = cutTo(text, cells);
  const space = ' '.repeat(Math.max(0, cells - displayWidth(cut)));
  return align === 'right' ? space + cut : cut + space;
}
