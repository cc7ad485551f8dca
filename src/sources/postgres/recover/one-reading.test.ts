import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OneReading } from './one-reading.ts';
import type { WalPlan } from './wal-plan.ts';

/** Segments of 10 bytes: line 1 up to `fork`, line 2 from there. */
function planTo(from: number, fork: number, end: number): WalPlan {
  const segments = [];
  for (let start = 0; start < end; start += 10) {
    const parts = [
      { line: 1, start: Math.max(start, from), end: Math.min(start + 10, fork) },
      { line: 2, start: Math.max(start, fork), end: Math.min(start + 10, end) },
    ];
    const pieces = parts
      .filter((part) => part.start < part.end)
      .map((part) => ({
        from: { kind: 'journal' as const, line: part.line },
        ...{ start: BigInt(part.start), end: BigInt(part.end) },
      }));
    segments.push({ name: `${start}`, start: BigInt(start), pieces });
  }
  return { segments, end: { line: 2, offset: BigInt(end) }, histories: [] };
}

const byteAt = (line: number, at: number) => (at * 31 + line * 7) % 251;

/** Hands out buffers of this size, each of which is overwritten when the next is asked for. */
function journalOf(bufferBytes: number) {
  const readings: string[] = [];
  const lent = Buffer.alloc(bufferBytes);
  return {
    readings,
    async *read(line: number, from: bigint, to: bigint): AsyncGenerator<Buffer> {
      readings.push(`${line}: ${from} to ${to}`);
      for (let at = Number(from); at < Number(to); at += bufferBytes) {
        const bytes = lent.subarray(0, Math.min(bufferBytes, Number(to) - at));
        for (let index = 0; index < bytes.length; index += 1)
          bytes[index] = byteAt(line, at + index);
        yield bytes;
        bytes.fill(0xff);
      }
    },
  };
}

test('each stretch is read once, whatever pieces it is asked for in', async () => {
  const places = fc.tuple(
    fc.nat(30),
    fc.integer({ min: 1, max: 30 }),
    fc.nat(30),
    fc.integer({ min: 1, max: 25 }),
  );
  await fc.assert(
    fc.asyncProperty(places, async ([from, more, rest, bufferBytes]) => {
      const [fork, end] = [from + more, from + more + rest + 1];
      const plan = planTo(from, fork, end);
      const journal = journalOf(bufferBytes);
      const reading = new OneReading(journal, plan);
      for (const { pieces } of plan.segments) {
        for (const piece of pieces) {
          const line = piece.from.kind === 'journal' ? piece.from.line : 0;
          let at = Number(piece.start);
          for await (const bytes of reading.read(line, piece.start, piece.end)) {
            for (const byte of bytes) {
              expect(byte).toBe(byteAt(line, at));
              at += 1;
            }
          }
          expect(at).toBe(Number(piece.end));
        }
      }
      await reading.close();
      expect(journal.readings).toEqual([`1: ${from} to ${fork}`, `2: ${fork} to ${end}`]);
    }),
  );
});

test('who stops in the middle leaves nothing open', async () => {
  let isOpen = false;
  const journal = {
    async *read(): AsyncGenerator<Buffer> {
      isOpen = true;
      try {
        for (;;) yield Buffer.alloc(4);
      } finally {
        isOpen = false;
      }
    },
  };
  const reading = new OneReading(journal, planTo(0, 20, 30));
  for await (const bytes of reading.read(1, 0n, 10n)) {
    expect(bytes.length).toBe(4);
    break;
  }
  expect(isOpen).toBe(true);
  await reading.close();
  expect(isOpen).toBe(false);
});
