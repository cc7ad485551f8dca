/** What guides the fuzzer: whether it sees that an input went another way. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { aclText } from '../../src/recovery/dump/posix-acl.ts';
import { zstdContentBytes } from '../../src/repository/crypto/zstd-frame.ts';
import { parseHistory } from '../../src/sources/postgres/wal/history.ts';
import { parseSenderMessage } from '../../src/sources/postgres/wal/messages.ts';
import { Coverage } from './coverage.ts';

const dataMessage = Buffer.concat([Buffer.from('w'), Buffer.alloc(24)]);
const keepalive = Buffer.concat([Buffer.from('k'), Buffer.alloc(17)]);

/** One for all: V8 counts blocks of a function only where it was first run while they were counted. */
let coverage: Coverage;

beforeAll(() => {
  coverage = new Coverage();
});

afterAll(() => {
  coverage.close();
});

const ways = [dataMessage, keepalive, Buffer.from('?')];

test('another way through the same function is new, and soon is not', () => {
  for (const message of ways) {
    parseSenderMessage(message);
    expect(coverage.add()).toBeGreaterThan(0);
  }
  // Boundaries are learned from every way: the second time all are known.
  for (const [time, message] of [...ways, ...ways].entries()) {
    parseSenderMessage(message);
    const isKnown = time >= ways.length;
    if (isKnown) expect(coverage.add()).toBe(0);
    else coverage.add();
  }
});

test('one that goes another way is seen among many that do not', () => {
  const frame = Buffer.concat([Buffer.from('28b52ffd2001', 'hex'), Buffer.alloc(12)]);
  const cut = frame.subarray(0, 3);
  zstdContentBytes(frame);
  coverage.add();
  for (let time = 0; time < 100; time += 1) zstdContentBytes(frame);
  expect(coverage.ranNewCode()).toBe(false);
  for (const one of [frame, cut, frame]) zstdContentBytes(one);
  expect(coverage.ranNewCode()).toBe(true);
});

test('many more rounds of a loop are new, one more is not', () => {
  const entries = (count: number) =>
    Buffer.concat([
      Buffer.from([2, 0, 0, 0]),
      ...Array.from({ length: count }, () => Buffer.from('0100070000000000', 'hex')),
    ]);
  aclText(entries(4));
  coverage.add();
  aclText(entries(5));
  expect(coverage.add()).toBe(0);
  aclText(entries(64));
  expect(coverage.add()).toBeGreaterThan(0);
});

test('what is left out of account stays new', () => {
  const line = '1\t0/5000000\tno recovery target\n';
  parseHistory(line);
  coverage.skip();
  expect(coverage.add()).toBe(0);
  parseHistory(line);
  expect(coverage.add()).toBeGreaterThan(0);
});
