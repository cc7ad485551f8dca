import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseHistory } from './history.ts';
import { slotName } from './slot.ts';
import { type KnownPositions, startingPoint } from './start-point.ts';

const SEGMENT = 0x1000000;

/** A server on timeline 4 that came from 1 (left at 0/3000100) by way of 3 (left at 0/5000200). */
function start(changes: Partial<KnownPositions>) {
  const history = parseHistory('1\t0/3000100\tpromoted\n\n# a note\n3\t0/5000200\tpromoted\n');
  if (history === undefined) throw new Error('the history is right');
  const keepsFrom = 0x6000300n;
  const known = { resume: undefined, serverLine: 4, history, keepsFrom, segmentSizeBytes: SEGMENT };
  return startingPoint({ ...known, ...changes });
}

describe('where streaming begins', () => {
  it('is the segment from which the server keeps WAL, where nothing is here yet', () => {
    expect(start({})).toEqual({ line: 4, offset: 0x6000000n });
    expect(start({ keepsFrom: 0x4000000n })).toEqual({ line: 3, offset: 0x4000000n });
    // The segment of a fork begins on the timeline before it.
    expect(start({ keepsFrom: 0x5000300n })).toEqual({ line: 3, offset: 0x5000000n });
  });

  it('is where the journal ends, on a timeline that the server knows', () => {
    for (const resume of [
      { line: 4, offset: 0x7000123n },
      { line: 3, offset: 0x4000123n },
      { line: 1, offset: 0x30000ffn },
    ]) {
      expect(start({ resume })).toEqual(resume);
    }
  });

  it('is the next timeline where the journal has reached the fork or gone past it', () => {
    expect(start({ resume: { line: 1, offset: 0x3000100n } })).toEqual({
      line: 3,
      offset: 0x3000000n,
    });
    expect(start({ resume: { line: 1, offset: 0x9000000n } })).toEqual({
      line: 3,
      offset: 0x3000000n,
    });
    expect(start({ resume: { line: 3, offset: 0x5000200n } })).toEqual({
      line: 4,
      offset: 0x5000000n,
    });
  });

  it('is the newest fork where the journal followed a branch that the server left aside', () => {
    expect(start({ resume: { line: 2, offset: 0x9000000n } })).toEqual({
      line: 4,
      offset: 0x5000000n,
    });
  });

  it('is nowhere on a server that is behind', () => {
    expect(() => start({ resume: { line: 5, offset: 0x1000000n } })).toThrow(
      expect.objectContaining({ code: 'postgres/server-behind' }),
    );
  });
});

describe('timeline histories', () => {
  it('are refused where lines or places go backwards, and never throw', () => {
    expect(parseHistory('')).toEqual([]);
    expect(parseHistory('2\t0/5000000\tx\n1\t0/6000000\tx\n')).toBeUndefined();
    expect(parseHistory('1\t0/5000000\tx\n2\t0/4000000\tx\n')).toBeUndefined();
    fc.assert(
      fc.property(fc.string(), (text) => {
        parseHistory(text);
      }),
    );
  });
});

describe('slot names', () => {
  it('are what Postgres allows, and differ where addresses do', () => {
    const part = fc.stringMatching(/^[a-z0-9-]{1,40}$/);
    const address = fc.record({ environment: part, stage: part, name: part });
    fc.assert(
      fc.property(address, address, (one, other) => {
        expect(slotName(one)).toMatch(/^holdfast_[a-z0-9_]{1,54}$/);
        const isSame = JSON.stringify(one) === JSON.stringify(other);
        expect(slotName(one) === slotName(other)).toBe(isSame);
      }),
    );
    expect(slotName({ environment: 'a-b', stage: 'c', name: 'd' })).not.toBe(
      slotName({ environment: 'a', stage: 'b-c', name: 'd' }),
    );
    const long = { environment: 'e'.repeat(40), stage: 's'.repeat(40), name: 'orders' };
    expect(slotName(long)).not.toBe(slotName({ ...long, name: 'users' }));
    expect(slotName({ environment: 'shop', stage: 'production', name: 'orders' })).toBe(
      'holdfast_shop_production_orders',
    );
  });
});
