/** How rows that come back are shown: before as counts and the first of them, afterwards with the way back. */
import { formatCount, formatCounted } from '#base';
import type { ShownRow, TablePreview, TablesResult, UndoneTable } from '#sources';

type Into = 'new' | 'existing';

export function previewLines(
  previews: readonly TablePreview[],
  into: Into,
  columns: number,
): string[] {
  return previews.flatMap((preview) => ['', ...linesOf(preview, into, columns)]).concat('');
}

function linesOf(preview: TablePreview, into: Into, columns: number): string[] {
  const { table, target, rows, inserts, updates, differing, first, notes } = preview;
  const lines = [`${table} → ${target}${into === 'new' ? ' (a new table)' : ''}`];
  if (into === 'new') lines.push(`  ${formatCounted(rows, 'row')}`);
  else {
    const same = rows - inserts - updates - differing;
    lines.push(
      `  insert ${formatCount(inserts)}, update ${formatCount(updates)}, same ${formatCount(same)}`,
    );
    if (differing > 0) {
      lines.push(
        `  ${formatCounted(differing, 'row')} differ and stay as they are: --update brings them back too`,
      );
    }
  }
  lines.push(...notes.map((note) => `! ${note}`));
  lines.push(...first.map((row) => cut(`  ${rowText(row)}`, columns)));
  const more = (into === 'new' ? inserts : inserts + updates) - first.length;
  if (more > 0) lines.push(`  … and ${formatCount(more)} more`);
  return lines;
}

const shown = (value: string | null): string =>
  value === null ? '∅' : value.replace(/[\0-\x1f\x7f]/g, '·');

function rowText({ change, values, becomes = {} }: ShownRow): string {
  const named = Object.entries(values).map(([name, value]) => `${name}=${shown(value)}`);
  if (change === 'insert') return `+ ${named.join('  ')}`;
  const changes = Object.entries(becomes).map(
    ([name, { now, was }]) => `${name}: ${shown(now)} → ${shown(was)}`,
  );
  // Values that differ beyond what is shown of them.
  return `~ ${named.join('  ')}  ${changes.join('  ') || '(beyond what is shown)'}`;
}

const cut = (text: string, columns: number): string =>
  text.length <= columns ? text : `${text.slice(0, Math.max(1, columns - 1))}…`;

export function takenLines(
  { tables, undo }: TablesResult,
  { into, store, database }: { into: Into; store: string; database?: string },
): string[] {
  const lines = tables.map(({ target, inserted, updated }) => {
    if (inserted + updated === 0) return `${target}: nothing was left to do.`;
    const parts = [`${formatCounted(inserted, 'row')} inserted`];
    if (updated > 0) parts.push(`${formatCount(updated)} updated`);
    return `${target}: ${parts.join(', ')}.`;
  });
  const given = `--store ${store}${database === undefined ? '' : ` --database ${database}`}`;
  if (into === 'new') {
    const made = tables.filter(({ inserted }) => inserted > 0).map(({ target }) => target);
    if (made.length > 0)
      lines.push('', `  Only its owner may read it. Away with it: DROP TABLE ${made.join(', ')}`);
  } else if (undo !== undefined) {
    lines.push('', `  undo      holdfast recovery undo ${undo} ${given}`);
  }
  return lines;
}

export function undoneLines(id: string, tables: readonly UndoneTable[]): string[] {
  const lines = tables.map(({ table, removed, restored, changedSince }) => {
    const kept =
      changedSince > 0 ? `, ${formatCount(changedSince)} changed since and left as they are` : '';
    return `${changedSince > 0 ? '! ' : ''}${table}: ${formatCounted(removed, 'row')} removed, ${formatCount(restored)} restored${kept}`;
  });
  return [...lines, `Taken back: ${id}`];
}
