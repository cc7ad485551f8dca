import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomBytes, Secret } from '#base';
import { createRepository } from '../open.ts';
import type { StoreAddress } from '../records/records.ts';
import type { Repository } from '../repository.ts';
import { MemoryStorage } from '../storage/memory.ts';
import { listPieces, removePiece, writePiece } from './pieces.ts';
import { openJournalReader } from './reader.ts';
import { openSpool } from './spool.ts';

const storage = new MemoryStorage();
let repository: Repository;
let folder: string;
let stores = 0;

beforeAll(async () => {
  repository = await createRepository({
    storage,
    password: new Secret('a journal'),
    scrypt: { N: 2, r: 1, p: 1 },
  });
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-reader-'));
});
afterAll(async () => {
  await repository.close();
  await fs.rm(folder, { recursive: true, force: true });
});

function newAddress(): StoreAddress {
  stores += 1;
  return { environment: 'shop', stage: 'test', store: `orders-${stores}` };
}

function bytesOf(line: number, from: number, to: number): Buffer {
  return Buffer.from(
    Array.from({ length: to - from }, (_, index) => ((from + index) * 31 + line * 7) % 251),
  );
}

const put = (address: StoreAddress, line: number, from: number, to: number) =>
  writePiece(
    repository,
    address,
    { line, from: BigInt(from), latestMs: to },
    bytesOf(line, from, to),
  );

async function readAll(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts);
}

describe('journal reader', () => {
  it('reads large pieces ahead, in order, and names the one that is damaged', async () => {
    const address = newAddress();
    const size = 100_000;
    const whole = randomBytes(5 * size);
    const pieces = [];
    for (let at = 0; at < whole.length; at += size) {
      const start = { line: 1, from: BigInt(at), latestMs: at };
      pieces.push(await writePiece(repository, address, start, whole.subarray(at, at + size)));
    }
    const read = async () => {
      const reader = openJournalReader(repository, address);
      const parts: Buffer[] = [];
      for await (const part of reader.read(1, 150_000n, 480_000n)) parts.push(Buffer.from(part));
      return Buffer.concat(parts);
    };
    expect((await read()).equals(whole.subarray(150_000, 480_000))).toBe(true);
    const name = `holdfast/${pieces[3]?.name}`;
    const stored = await storage.read(name);
    stored[50_000] = (stored[50_000] as number) ^ 1;
    await storage.write(name, [stored]);
    await expect(read()).rejects.toMatchObject({
      code: 'repository/journal-gap',
      cause: { code: 'repository/file-damaged' },
      facts: { offset: '300000' },
    });
  });

  it('tells how far all had left the store by an instant, and nothing across a hole', async () => {
    const address = newAddress();
    // As `put` has it, the place is also the time.
    for (const [from, to] of [
      [0, 10],
      [10, 25],
      [20, 40],
      [50, 60],
    ] as const)
      await put(address, 1, from, to);
    const reader = openJournalReader(repository, address);
    const sentBy = (from: number, to: number, atMs: number) =>
      reader.sentBy(1, BigInt(from), BigInt(to), atMs);
    expect(await sentBy(0, 60, 9)).toBe(0n);
    expect(await sentBy(0, 60, 30)).toBe(25n);
    expect(await sentBy(3, 60, 1000)).toBe(40n);
    expect(await sentBy(3, 35, 1000)).toBe(35n);
    expect(await reader.sentBy(2, 5n, 9n, 1000)).toBe(5n);
  });

  it('reads any range over overlapping pieces and the spool, and names the first missing byte', async () => {
    const address = newAddress();
    await put(address, 1, 1000, 2000);
    await put(address, 1, 1500, 2500);
    await put(address, 1, 3500, 4000);
    const spoolFolder = path.join(folder, address.store);
    const spool = await openSpool(spoolFolder);
    spool.append(1, 2400n, bytesOf(1, 2400, 3000), 9000);
    await spool.sync();
    const reader = openJournalReader(repository, address, { spoolFolder });
    expect(await reader.contiguousEnd({ line: 1, offset: 1000n })).toBe(3000n);
    expect(await reader.contiguousEnd({ line: 1, offset: 500n })).toBe(500n);
    expect(await readAll(reader.read(1, 1200n, 2950n))).toEqual(bytesOf(1, 1200, 2950));
    await expect(readAll(reader.read(1, 2900n, 3600n))).rejects.toMatchObject({
      code: 'repository/journal-gap',
      message: expect.stringContaining('nothing at 0xbb8; it goes on at 0xdac'),
      facts: { line: 1, offset: '3000', goesOnAt: '3500' },
    });
    expect(await reader.spans()).toEqual([
      { line: 1, from: 1000n, to: 2500n, latestMs: 2500, where: 'piece' },
      { line: 1, from: 2400n, to: 3000n, latestMs: 9000, where: 'spool' },
      { line: 1, from: 3500n, to: 4000n, latestMs: 4000, where: 'piece' },
    ]);
    await spool.close();
  });

  it('goes on when a piece was replaced by others since it was listed', async () => {
    const address = newAddress();
    await put(address, 1, 0, 100);
    await put(address, 1, 100, 200);
    const reader = openJournalReader(repository, address);
    expect(await reader.contiguousEnd({ line: 1, offset: 0n })).toBe(200n);
    const old = await listPieces(repository, address);
    await put(address, 1, 0, 200);
    for (const piece of old) await removePiece(repository, piece);
    expect(await readAll(reader.read(1, 0n, 200n))).toEqual(bytesOf(1, 0, 200));
  });

  it('passes over a damaged piece where another holds the same bytes, and else says what is damaged', async () => {
    const address = newAddress();
    const damaged = await put(address, 1, 0, 300);
    await put(address, 1, 0, 150);
    const name = `holdfast/${damaged.name}`;
    const stored = await storage.read(name);
    stored[stored.length >> 1] = (stored[stored.length >> 1] as number) ^ 1;
    await storage.write(name, [stored]);
    const reader = openJournalReader(repository, address);
    expect(await readAll(reader.read(1, 0n, 150n))).toEqual(bytesOf(1, 0, 150));
    const failure = await readAll(reader.read(1, 0n, 300n)).catch((error) => error);
    expect(failure).toMatchObject({ code: 'repository/journal-gap', facts: { offset: '150' } });
    expect(failure.cause).toMatchObject({ code: 'repository/file-damaged' });
  });

  it('refuses a piece that was put in place of another', async () => {
    const address = newAddress();
    const first = await put(address, 1, 0, 100);
    const second = await put(address, 1, 100, 200);
    await storage.write(`holdfast/${second.name}`, [await storage.read(`holdfast/${first.name}`)]);
    const reader = openJournalReader(repository, address);
    await expect(readAll(reader.read(1, 0n, 200n))).rejects.toMatchObject({
      code: 'repository/journal-gap',
      cause: { code: 'repository/sealed-misplaced' },
    });
  });

  it('agrees with a model for any pieces, spool and range', async () => {
    const span = fc.record({
      line: fc.integer({ min: 1, max: 2 }),
      from: fc.integer({ min: 0, max: 60 }),
      length: fc.integer({ min: 1, max: 30 }),
      where: fc.constantFrom('piece' as const, 'spool' as const),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(span, { maxLength: 12 }),
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 0, max: 40 }),
        async (spans, from, length) => {
          const address = newAddress();
          const spoolFolder = path.join(folder, address.store);
          const spool = await openSpool(spoolFolder);
          const there = new Set<string>();
          for (const { line, from: start, length: size, where } of spans) {
            if (where === 'piece') await put(address, line, start, start + size);
            else spool.append(line, BigInt(start), bytesOf(line, start, start + size), 1);
            for (let at = start; at < start + size; at += 1) there.add(`${line}/${at}`);
          }
          await spool.sync();
          await spool.close();
          const reader = openJournalReader(repository, address, { spoolFolder });
          let end = from;
          while (there.has(`1/${end}`)) end += 1;
          expect(await reader.contiguousEnd({ line: 1, offset: BigInt(from) })).toBe(BigInt(end));
          const to = from + length;
          const read = readAll(reader.read(1, BigInt(from), BigInt(to)));
          if (to <= end) expect(await read).toEqual(bytesOf(1, from, to));
          else await expect(read).rejects.toMatchObject({ facts: { offset: `${end}` } });
        },
      ),
      { numRuns: 30 },
    );
  });
});
