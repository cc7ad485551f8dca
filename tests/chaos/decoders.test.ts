/** Bytes of any kind, and valid ones with damage: every decoder answers, or refuses by a HoldfastError. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { HoldfastError } from '#base';
import { Chance } from './chance.ts';
import { allDecoders, type Decoder } from './decoders.ts';
import { mutate } from './mutate.ts';

const names = [
  ...[
    'tree',
    'known tree',
    'folder of a mount',
    'index',
    'snapshot',
    'config',
    'key file',
    'lock',
    'pack header',
    'pack tail',
  ],
  ...['record capture', 'record point', 'record mark', 'record gap', 'record line'],
  ...['record watermark', 'record names', 'block map', 'spool frame', 'sealed file'],
  ...['parity sidecar', 'zstd frame', 'WAL', 'timeline history', 'replication message', 'tar'],
  ...['backup manifest', 'POSIX ACL'],
];

let decoders: Decoder[];

beforeAll(async () => {
  decoders = await allDecoders();
});

test('the seeds of sidecars and of WAL are whole', () => {
  const seedOf = (name: string) => decoders.find((one) => one.name === name) as Decoder;
  const { seeds, decode, mend } = seedOf('parity sidecar');
  expect(decode(seeds[0] as Buffer)).toMatchObject({ whole: true });
  expect(mend?.(seeds[0] as Buffer)).toEqual(seeds[0]);
  const wal = seedOf('WAL');
  for (const seed of wal.seeds) {
    const ends = (wal.decode(seed) as { seen: unknown[] }[]).map(({ seen }) => seen.length);
    expect(ends.sort()).toEqual([0, 0, 4, 4]);
  }
});

test('each decoder is named here', () => {
  expect(decoders.map(({ name }) => name).sort()).toEqual([...names].sort());
});

async function answers(decoder: Decoder, bytes: Buffer): Promise<void> {
  try {
    await decoder.decode(bytes);
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
  }
}

describe.each(names)('%s', (name) => {
  const decoderOf = () => decoders.find((one) => one.name === name) as Decoder;

  test('takes what is valid', async () => {
    const { seeds, decode } = decoderOf();
    // A manifest's checksum is of other bytes: refused, but read.
    for (const seed of seeds) {
      if (name === 'backup manifest') await answers(decoderOf(), seed);
      else await decode(seed);
    }
  });

  test('never fails otherwise than by a HoldfastError', async () => {
    const decoder = decoderOf();
    const damaged = fc
      .record({ seed: fc.nat(), changes: fc.array(fc.nat(), { minLength: 1, maxLength: 6 }) })
      .map(({ seed, changes }) => {
        const valid = decoder.seeds[seed % decoder.seeds.length] as Buffer;
        return changes.reduce((bytes, change) => mutate(bytes, new Chance(change)), valid);
      });
    const bytes = fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value));
    const values = fc.json().map((value) => Buffer.from(value));
    await fc.assert(
      fc.asyncProperty(fc.oneof(damaged, damaged, bytes, values), (input) =>
        answers(decoder, input),
      ),
      { numRuns: 300 },
    );
  });
});
