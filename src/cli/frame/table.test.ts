import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cutTo, displayWidth, tableLines, wrapText } from './table.ts';

test('columns stand two apart, marks in front, nothing trails', () => {
  const lines = tableLines(
    [{ title: 'STORE' }, { title: 'LAG', align: 'right' }, { title: 'STORED' }],
    [
      { mark: '✓', cells: ['orders', '0.8s', '96 of 412 GiB'] },
      { mark: '!', cells: ['billing', '31m', ''] },
    ],
  );
  expect(lines).toEqual([
    '  STORE     LAG  STORED',
    '✓ orders   0.8s  96 of 412 GiB',
    '! billing   31m',
  ]);
});

test('no line is wider than the screen where columns may shrink', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), fc.string()), { minLength: 1 }),
      (cells) => {
        const lines = tableLines(
          [
            { title: 'A', shrinkTo: 4 },
            { title: 'B', shrinkTo: 4 },
          ],
          cells.map((row) => ({ mark: '✓', cells: row.map((cell) => cell.replace(/\s/g, '_')) })),
          40,
        );
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(40);
      },
    ),
  );
});

test('a cut is seen, and wide characters count twice', () => {
  expect(cutTo('uploads', 5)).toBe('uplo…');
  expect(cutTo('日本語', 5)).toBe('日本…');
  expect(displayWidth('日本')).toBe(4);
});

test('long text is broken at spaces', () => {
  expect(wrapText('declare it, or protect: none with a reason', 20)).toEqual([
    'declare it, or',
    'protect: none with a',
    'reason',
  ]);
});
