import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import { HoldfastError } from '#base';
import { parseEnvironment } from './load.ts';
import { didYouMean, type Problem } from './problems.ts';
import { replaceReferences } from './references.ts';

const sourceSchemas = { files: z.strictObject({ path: z.string() }) };

/** Throws whatever isn't an error of the file with places inside it. */
function tryText(text: string): void {
  const lines = text.split('\n');
  try {
    parseEnvironment([{ path: '/x/holdfast.yaml', bytes: Buffer.from(text) }], {
      sourceSchemas,
      variables: { PASSWORD: 'p' },
    });
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const problems = error.facts.problems as Problem[];
    expect(problems.length).toBeGreaterThan(0);
    for (const { place } of problems) {
      expect(place.line).toBeGreaterThanOrEqual(1);
      expect(place.line).toBeLessThanOrEqual(lines.length);
      expect(place.column).toBeGreaterThanOrEqual(1);
      expect(place.column).toBeLessThanOrEqual((lines[place.line - 1]?.length ?? 0) + 1);
    }
  }
}

const WORDS = [
  ...['apiVersion', 'name', 'stores', 'services', 'checks', 'repository', 'protect', 'needs'],
  ...['type', 'url', 'every', 'files', 'none', '${PASSWORD}', '${port}', '${stores.a.url}', 'on'],
  ...['__proto__', 'constructor', 'toString', '<<', '5s', 'null', 'true'],
];
const PUNCTUATION = ['\n', '\n  ', '\n    ', ': ', ', ', '{', '}', '[', ']', '- ', '&a ', '*a'];
const MORE = [
  '"',
  "'",
  '|',
  '>',
  '\t',
  '#',
  '$',
  '${',
  '!x ',
  '%',
  '---\n',
  '? ',
  '\r\n',
  '\u0000',
];

const soup = fc
  .array(fc.constantFrom(...WORDS, ...PUNCTUATION, ...MORE), { maxLength: 60 })
  .map((parts) => parts.join(''));

const key = fc.constantFrom(...WORDS, 'a', 'b');
const shaped = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<unknown>(...WORDS, 0, 1.5, true, null, ''),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(key, tie('value'), { maxKeys: 5 }),
  ),
}));

test('no text gives anything but named problems with places inside the file', () => {
  fc.assert(fc.property(fc.oneof(soup, fc.string({ unit: 'binary' })), tryText), { numRuns: 600 });
});

test('no structure does either', () => {
  const structures = fc
    .dictionary(key, shaped.value, { maxKeys: 8 })
    .map((value) => stringify(value));
  fc.assert(fc.property(structures, tryText), { numRuns: 400 });
});

test('text without references stays as it is', () => {
  const plain = fc.string().filter((text) => !text.includes('${'));
  fc.assert(fc.property(plain, (text) => replaceReferences(text, () => 'x') === text));
});

test('a slip of the finger is recognised', () => {
  const slip = fc.tuple(fc.constantFrom('stores', 'protect', 'repository'), fc.nat({ max: 5 }));
  fc.assert(
    fc.property(slip, ([word, at]) => {
      const without = word.slice(0, at) + word.slice(at + 1);
      expect(didYouMean(without, ['stores', 'protect', 'repository'])).toContain(word);
    }),
  );
  expect(didYouMean('zebra', ['stores', 'protect'])).toBe('');
});
