import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeTree } from './decode-tree.ts';
import { parseGoTime, parseUsualGoTime } from './go-time.ts';

const FIELDS: Record<string, unknown> = {
  name: 'a',
  type: 'file',
  mode: 420,
  mtime: '2026-11-21T10:42:07.5Z',
  atime: '2026-11-21T11:42:07.5+01:00',
  ctime: '1969-12-31T23:59:59.000000001Z',
  uid: 0,
  gid: 4_294_967_295,
  user: 'root',
  group: 'röot "1"',
  inode: '18446744073709551615',
  device_id: 66_306,
  size: 3,
  links: 1,
  content: ['ab'.repeat(32)],
};
/** A number above what JavaScript holds is written as it is. */
const written = (value: unknown, key: string): string =>
  key === 'inode' ? String(value) : JSON.stringify(value);
const treeOf = (nodes: readonly string[]) => Buffer.from(`{"nodes":[${nodes.join(',')}]}`);

test('what an entry says is the same in whatever order, however it is written and whatever came before', () => {
  const plain = Object.entries(FIELDS).map(([key, value]) => `"${key}":${written(value, key)}`);
  const [expected] = decodeTree(treeOf([`{${plain.join(',')}}`]));
  expect(expected).toMatchObject({ inode: 2n ** 64n - 1n, gid: 4_294_967_295, group: 'röot "1"' });
  const unknown = fc.uniqueArray(fc.string({ unit: 'grapheme-ascii' }), { maxLength: 80 });
  const space = fc.constantFrom('', ' ', '\n\t');
  fc.assert(
    fc.property(
      fc.shuffledSubarray(Object.keys(FIELDS), { minLength: Object.keys(FIELDS).length }),
      unknown.map((keys) => keys.filter((key) => !Object.hasOwn(FIELDS, key) && key !== 'device')),
      space,
      fc.boolean(),
      (order, others, gap, isEscaped) => {
        const keyText = (key: string) =>
          isEscaped
            ? `"\\u00${Buffer.from(key[0] ?? '').toString('hex')}${key.slice(1)}"`
            : `"${key}"`;
        const own = order.map(
          (key) => `${gap}${keyText(key)}${gap}:${gap}${written(FIELDS[key], key)}${gap}`,
        );
        const rest = others.map((key) => `${JSON.stringify(key)}:{"name":["x",1,null]}`);
        const node = `{${[...own, ...rest].join(',')}}`;
        expect([...decodeTree(treeOf([node]))]).toEqual([expected]);
      },
    ),
  );
});

describe('a time read from its bytes', () => {
  const anyTime = fc
    .tuple(fc.date({ noInvalidDate: true }), fc.integer({ min: 0, max: 999_999_999 }), fc.nat(9))
    .map(([date, fraction, digits]) => {
      const decimals = `${fraction}`.padStart(9, '0').slice(0, digits);
      return `${date.toISOString().slice(-24, -5)}${digits > 0 ? `.${decimals}` : ''}Z`;
    });

  test('is that of its text', () => {
    fc.assert(
      fc.property(anyTime, (text) => {
        const ns = parseGoTime(text);
        expect(parseUsualGoTime(Buffer.from(text))).toBe(text < '1000' ? undefined : ns);
      }),
    );
  });

  test('is never another one, whatever is put in', () => {
    fc.assert(
      fc.property(anyTime, fc.nat(29), fc.constantFrom(...'09:-./TZ+ 6x'), (text, at, put) => {
        const changed = text.slice(0, at) + put + text.slice(at + 1);
        const ns = parseUsualGoTime(Buffer.from(changed));
        expect([undefined, parseGoTime(changed)]).toContain(ns);
      }),
    );
  });
});
