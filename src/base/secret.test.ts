import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isMadePassword, makePassword, Secret } from './secret.ts';

const isMade = (text: string) => isMadePassword(new Secret(text));

test('a made password is known again, and is another one each time', () => {
  const made = Array.from({ length: 100 }, makePassword);
  expect(made.every(isMade)).toBe(true);
  expect(new Set(made).size).toBe(made.length);
  expect(made.every((text) => /^[\w-]{62}$/.test(text))).toBe(true);
});

test('with any other character, one more or one less it is none', () => {
  const made = makePassword();
  fc.assert(
    fc.property(fc.nat(made.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, other) => {
      const changed = made.slice(0, at) + other + made.slice(at + 1);
      expect(isMade(changed)).toBe(changed === made);
      expect(isMade(made.slice(0, at) + made.slice(at + 1))).toBe(false);
      expect(isMade(made.slice(0, at) + other + made.slice(at))).toBe(false);
    }),
  );
});

test('nothing that somebody chose is taken for one, also where it looks alike', () => {
  const made = makePassword();
  const chosen = [
    '',
    'holdfast-1-',
    'correct horse battery staple',
    `${made} `,
    made.toUpperCase(),
  ];
  expect(chosen.some(isMade)).toBe(false);
  fc.assert(
    fc.property(fc.base64String({ maxLength: 60 }), (text) => !isMade(`holdfast-1-${text}`)),
  );
});
