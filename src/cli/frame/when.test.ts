import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatInstant, parseWhen } from './when.ts';

const NOW_MS = new Date(2026, 10, 21, 12, 0, 0).getTime();
const local = (...parts: [number, number, number, number, number, number?, number?]) =>
  new Date(...parts).getTime();

describe('WHEN', () => {
  test.each([
    ['10:42', local(2026, 10, 21, 10, 42)],
    ['10:42:07.311', local(2026, 10, 21, 10, 42, 7, 311)],
    ['10:42:07.3119', local(2026, 10, 21, 10, 42, 7, 311)],
    ['13:00', local(2026, 10, 20, 13, 0)],
    ['yesterday 09:05', local(2026, 10, 20, 9, 5)],
    ['2026-11-21T10:42:07Z', Date.UTC(2026, 10, 21, 10, 42, 7)],
    ['2026-11-21 10:42:07+02', Date.UTC(2026, 10, 21, 8, 42, 7)],
    ['2026-11-21 10:42:07 -0530', Date.UTC(2026, 10, 21, 16, 12, 7)],
    ['2026-11-20', local(2026, 10, 20, 0, 0)],
    ['22 Oct 09:14', local(2026, 9, 22, 9, 14)],
    ['24 December 2025 18:00', local(2025, 11, 24, 18, 0)],
    ['24 Dec 18:00', local(2025, 11, 24, 18, 0)],
    ['5m ago', NOW_MS - 300_000],
    ['1 hour 30 minutes ago', NOW_MS - 5_400_000],
    ['@1700000000.25', 1_700_000_000_250],
  ])('%s is an instant', (text, atMs) => {
    expect(parseWhen(text, NOW_MS)).toEqual({ kind: 'time', atMs });
  });

  test.each([
    ['latest', { kind: 'latest' }],
    ['now', { kind: 'latest' }],
    ['0/1A2B3C', { kind: 'lsn', lsn: 0x1a2b3cn }],
    ['A/10', { kind: 'lsn', lsn: (10n << 32n) | 16n }],
    ['before deploy 4f2c1e', { kind: 'before-mark', markKind: 'deploy', name: '4f2c1e' }],
    ['before last release', { kind: 'before-mark', markKind: 'release' }],
    ['restore-point nightly', { kind: 'restore-point', name: 'nightly' }],
  ])('%s is a name of an instant', (text, when) => {
    expect(parseWhen(text, NOW_MS)).toEqual(when);
  });

  test.each([
    ['', 'it is empty'],
    ['soon', 'no form'],
    ['25:00', 'no such date or time'],
    ['2026-02-30', 'no such date or time'],
    ['2026-13-01T10:00Z', 'no such date or time'],
    ['a while ago', 'span before "ago"'],
    ['before', '"before" wants a kind'],
    ['restore-point', 'one name'],
    ['1/2/3', 'no form'],
    ['123456789/0', 'no form'],
  ])('%s is refused, and why is said', (text, why) => {
    expect(() => parseWhen(text, NOW_MS)).toThrow(why);
  });

  test('whatever is typed gives an instant or the one error', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9:T. Z+@/ago-]{1,24}$/)), (text) => {
        try {
          const when = parseWhen(text, NOW_MS);
          if (when.kind === 'time') expect(Number.isFinite(when.atMs)).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ code: 'cli/unparsable-when', kind: 'invalid' });
        }
      }),
    );
  });

  test('what is shown reads back to the minute', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 700 * 86_400 }), (secondsBack) => {
        const atMs = NOW_MS - secondsBack * 1000;
        const minuteMs = new Date(atMs).setSeconds(0, 0);
        expect(parseWhen(formatInstant(atMs, NOW_MS), NOW_MS)).toEqual({
          kind: 'time',
          atMs: minuteMs,
        });
      }),
    );
  });
});
