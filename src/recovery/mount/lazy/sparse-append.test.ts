/** What is appended to new files of a mount: zeros take no room before the copy is durable for the first time. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Secret } from '#base';
import { createRepository, openStorage, type Repository } from '#repository';
import { saveFiles } from '../../../repository/saved-files.fixture.ts';
import { type Mounting, mountingOf } from './mounting.fixture.ts';
import { PAGE_BYTES } from './page-map.ts';
import { noteSettled } from './page-store.ts';
import { appendSparsely } from './sparse-append.ts';

const SEGMENT_BYTES = 4 * 1024 * 1024;
/** As a new log begins: a few bytes, and room behind them. */
const SEGMENT = Buffer.alloc(SEGMENT_BYTES);
SEGMENT.write('a head of a few bytes');

let scratch: string;

beforeAll(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-sparse-'));
});
afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

const roomOf = (file: string) => fs.statSync(file).blocks * 512;

describe('in a mount that holds back what is written', () => {
  const folder = () => path.join(scratch, 'copy');
  let repository: Repository;
  let mounting: Mounting;

  /** Resolves to where its bytes lie on disk. */
  const writeSegment = (name: string): string => {
    const file = fs.openSync(path.join(folder(), 'mount', name), 'wx+');
    fs.writeSync(file, SEGMENT);
    fs.fsyncSync(file);
    fs.closeSync(file);
    return path.join(folder(), 'files', name);
  };

  beforeAll(async () => {
    const location = path.join(scratch, 'repository');
    repository = await createRepository({
      storage: await openStorage(location),
      password: new Secret('lazy'),
      scrypt: { N: 1024, r: 8, p: 1 },
    });
    const { tree } = await saveFiles(repository, new Map([['lazy', Buffer.from('lazy')]]));
    mounting = mountingOf(location, tree);
    await mounting.mount(folder(), 'behind', 'bare');
  });
  afterAll(async () => {
    await mounting.unmount();
    await repository.close();
  });

  it('a segment of zeros takes no room at first, and all of its room once the copy is durable', () => {
    const early = writeSegment('early');
    expect(fs.readFileSync(early).equals(SEGMENT)).toBe(true);
    expect(roomOf(early)).toBeLessThanOrEqual(PAGE_BYTES);
    noteSettled(path.join(folder(), 'state'));
    const late = writeSegment('late');
    expect(fs.readFileSync(late).equals(SEGMENT)).toBe(true);
    expect(roomOf(late)).toBeGreaterThanOrEqual(SEGMENT_BYTES);
  });
});

it('reads as what was appended, wherever zeros lie in it', () => {
  const piece = fc.record({
    isZero: fc.boolean(),
    sizeBytes: fc.oneof(fc.integer({ min: 1, max: 3 * PAGE_BYTES }), fc.constant(PAGE_BYTES)),
  });
  const bytesOf = ({ isZero, sizeBytes }: { isZero: boolean; sizeBytes: number }) =>
    Buffer.alloc(sizeBytes, isZero ? 0 : 'x');
  let count = 0;
  fc.assert(
    fc.property(fc.array(fc.array(piece), { maxLength: 6 }), (appends) => {
      count += 1;
      const name = path.join(scratch, `appended-${count}`);
      const file = fs.openSync(name, 'wx+');
      let expected = Buffer.alloc(0);
      for (const pieces of appends) {
        const data = Buffer.concat(pieces.map(bytesOf));
        appendSparsely(file, data, expected.length);
        expected = Buffer.concat([expected, data]);
      }
      fs.closeSync(file);
      expect(fs.readFileSync(name).equals(expected)).toBe(true);
      fs.rmSync(name);
    }),
    { numRuns: 200 },
  );
});
