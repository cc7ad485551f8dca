import { EventEmitter } from 'node:events';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CopyTap } from './copy-tap.ts';
import type { RawConnection } from './raw.ts';

function message(kind: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(kind, 'latin1');
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** What comes out of a connection whose bytes arrive cut at these places. */
function received(bytes: Buffer, cuts: readonly number[]) {
  const stream = new EventEmitter();
  const toParser: Buffer[] = [];
  stream.on('data', (given: Buffer) => toParser.push(Buffer.from(given)));
  const bodies: Buffer[][] = [];
  const broken: Error[] = [];
  const tap = new CopyTap({ stream } as unknown as RawConnection, {
    onPart(part, goesOn) {
      if (!goesOn) bodies.push([]);
      bodies.at(-1)?.push(Buffer.from(part));
    },
    onMemory: (memory) => memory.fill(0xff),
    onBroken: (error) => broken.push(error),
  });
  const places = [0, ...[...cuts].sort((a, b) => a - b), bytes.length];
  for (const [index, from] of places.slice(0, -1).entries()) {
    stream.emit('data', Buffer.from(bytes.subarray(from, places[index + 1])));
  }
  tap.release();
  stream.emit('data', Buffer.from('after'));
  return { bodies, toParser, broken };
}

const body = fc
  .tuple(fc.constantFrom(0, 1, 3, 4, 100, 8188, 8189, 20_000), fc.integer({ min: 0, max: 255 }))
  .map(([length, fill]) => Buffer.alloc(length, fill));
const messages = fc.array(fc.record({ kind: fc.constantFrom('d', 'd', 'C', 'N'), body }), {
  maxLength: 6,
});

test('bodies of CopyData come out as they were sent, all else reaches the parser whole', () => {
  fc.assert(
    fc.property(messages, fc.array(fc.nat(), { maxLength: 8 }), (sent, cuts) => {
      const bytes = Buffer.concat(sent.map((one) => message(one.kind, one.body)));
      const places = cuts.map((cut) => (bytes.length === 0 ? 0 : cut % bytes.length));
      const { bodies, toParser, broken } = received(bytes, places);
      const copies = sent.filter(({ kind }) => kind === 'd').map((one) => one.body);
      const others = sent.filter(({ kind }) => kind !== 'd');
      expect(bodies.map((parts) => Buffer.concat(parts))).toEqual(copies);
      for (const [index, parts] of bodies.entries()) {
        if ((copies[index] as Buffer).length <= 8188) expect(parts).toHaveLength(1);
      }
      expect(toParser).toEqual([
        ...others.map((one) => message(one.kind, one.body)),
        Buffer.from('after'),
      ]);
      expect(broken).toEqual([]);
    }),
  );
});

test('a length that can be none is told, not followed', () => {
  const wrong = Buffer.from([0x43, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6]);
  expect(received(wrong, []).broken).toMatchObject([{ code: 'postgres/protocol-broken' }]);
  const huge = Buffer.from([0x43, 0xff, 0xff, 0xff, 0xff]);
  expect(received(huge, [2]).broken).toMatchObject([{ code: 'postgres/protocol-broken' }]);
  const tooShort = Buffer.from([0x64, 0, 0, 0, 0]);
  expect(received(tooShort, []).broken).toMatchObject([{ code: 'postgres/protocol-broken' }]);
});
