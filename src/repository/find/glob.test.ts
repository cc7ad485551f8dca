import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileGlob, componentsOf } from './glob.ts';

function matches(pattern: string, file: string, ignoreCase = false): boolean | undefined {
  return compileGlob(pattern, { ignoreCase })?.matches(componentsOf(Buffer.from(file)));
}

test.each([
  ['*.sql', '/srv/dump.sql', true],
  ['*.sql', '/srv/dump.sql/inside', false],
  ['dump.sql', '/srv/dump.sql', true],
  ['srv/dump.sql', '/a/srv/dump.sql', true],
  ['/srv/dump.sql', '/a/srv/dump.sql', false],
  ['/srv/*', '/srv/a/b', false],
  ['/srv/**', '/srv/a/b', true],
  ['/srv/**', '/srv', true],
  ['/srv/**/b', '/srv/b', true],
  ['{a,b*}.txt', '/x/bcd.txt', true],
  ['[!a]x', '/bx', true],
  ['[!a]x', '/ax', false],
  ['[a-c]?', '/b😀', true],
  ['[z-a]', '/a', false],
  ['[', '/[', true],
  ['\\*', '/*', true],
  ['\\*', '/a', false],
  ['a.b', '/axb', false],
  ['[]]', '/]', true],
  ['./a', '/x/a', true],
  ['/./a/.', '/a', true],
])('%s against %s', (pattern, file, expected) => {
  expect(matches(pattern, file)).toBe(expected);
});

test('letters of any case, where that is asked for', () => {
  expect(matches('*.SQL', '/a.sql')).toBe(false);
  expect(matches('*.SQL', '/a.sql', true)).toBe(true);
});

test('what is no pattern is none', () => {
  for (const pattern of ['', '/', '//', '.', './/', '{a,b}'.repeat(20)]) {
    expect(compileGlob(pattern)).toBeUndefined();
  }
});

test('names that are no text are one character a byte', () => {
  const glob = compileGlob('raw?');
  expect(glob?.matches(componentsOf(Buffer.from('/raw\xff', 'latin1')))).toBe(true);
});

const piece = fc.constantFrom('a', 'b', '*', '?', '[ab]', '.');
const name = fc.array(piece, { minLength: 1, maxLength: 4 }).map((pieces) => pieces.join(''));
const plain = fc.string({ unit: fc.constantFrom('a', 'b', '.'), minLength: 1, maxLength: 4 });

test('agrees with Node on whole paths, and a directory that is passed over holds no match', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(name, fc.constant('**')), { minLength: 1, maxLength: 4 }),
      fc.array(plain, { minLength: 1, maxLength: 4 }),
      (parts, file) => {
        // Node lets a wildcard pass over names that begin with a dot.
        fc.pre(!file.some((one) => one.startsWith('.')));
        // A name of `**` and other stars has a meaning of its own only alone.
        fc.pre(!parts.some((part) => part !== '**' && part.includes('**')));
        fc.pre(parts.at(-1) !== '**');
        // Node goes up at a `..`, and asks for a directory at a last `.`; a name in a snapshot is never either.
        fc.pre(!parts.includes('..') && parts.at(-1) !== '.');
        const glob = compileGlob(`/${parts.join('/')}`);
        const expected = path.matchesGlob(`/${file.join('/')}`, `/${parts.join('/')}`);
        expect(glob?.matches(file)).toBe(expected);
        if (!expected) return;
        for (let depth = 0; depth < file.length; depth += 1) {
          expect(glob?.mayMatchBelow(file.slice(0, depth))).toBe(true);
        }
      },
    ),
  );
});
