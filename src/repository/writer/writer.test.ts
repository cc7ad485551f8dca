import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeFifo, Secret } from '#base';
import { createRepository } from '../open.ts';
import type { Repository } from '../repository.ts';
import { FaultyStorage } from '../storage/faulty.ts';
import { MemoryStorage } from '../storage/memory.ts';
import type { Storage } from '../storage/storage.ts';
import { openWriter, type WriterOptions } from './open-writer.ts';
import { PackStore } from './pack-store.ts';
import type { RepositoryWriter } from './writer.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

let folder: string;
let storage: FaultyStorage;
let repository: Repository;
let writers: RepositoryWriter[];

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-writer-'));
  writers = [];
  await use(new FaultyStorage(new MemoryStorage()));
});

afterEach(async () => {
  for (const writer of writers) await writer.abort();
  await repository.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

async function use(other: Storage): Promise<void> {
  storage = other as FaultyStorage;
  const scrypt = { N: 1024, r: 8, p: 1 };
  repository = await createRepository({ storage, password: new Secret('test'), scrypt });
}

async function open(options: WriterOptions = {}): Promise<RepositoryWriter> {
  const writer = await openWriter(repository, { workers: 2, ...options });
  writers.push(writer);
  return writer;
}

function file(name: string, content: string | Buffer): { path: Buffer; sizeBytes: number } {
  const whole = path.join(folder, name);
  fs.writeFileSync(whole, content);
  return { path: Buffer.from(whole), sizeBytes: content.length };
}

async function contentOf(ids: Buffer): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let at = 0; at < ids.length; at += 32) {
    parts.push(await repository.readBlob('data', ids.subarray(at, at + 32)));
  }
  return Buffer.concat(parts);
}

async function namesIn(prefix: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of storage.list(prefix)) names.push(name);
  return names;
}

async function* pieces(body: Buffer, pieceBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes);
}

describe('what is saved', () => {
  test('can be read again: small, large, empty, many at once', async () => {
    const writer = await open();
    const bodies = Array.from({ length: 300 }, (_, number) => randomBytes(number * 37));
    bodies.push(randomBytes(3 * MIB), Buffer.alloc(66 * MIB, 'very large and dull '));
    const saved = await Promise.all(
      bodies.map((body, number) => {
        const { path: where, sizeBytes } = file(`f${number}`, body);
        return writer.saveFile(where, sizeBytes);
      }),
    );
    const stats = await writer.finish();
    for (const [number, body] of bodies.entries()) {
      expect(saved[number]?.sizeBytes).toBe(body.length);
      const content = await contentOf(saved[number]?.ids as Buffer);
      expect(content.equals(body)).toBe(true);
    }
    expect(saved[0]?.ids.length).toBe(0);
    const newBytes = saved.reduce((sum, one) => sum + one.newBytes, 0);
    expect(stats.newBytes).toBe(newBytes);
    expect(stats.packs).toBe((await namesIn('data/')).length);
  });

  test('streams keep their order, whatever the pieces and the chunks', async () => {
    const writer = await open();
    const body = randomBytes(13 * MIB + 5);
    const [content, fixed, none] = await Promise.all([
      writer.saveStream(pieces(body, 1_000_003), { kind: 'content' }),
      writer.saveStream(pieces(body, 9 * MIB), { kind: 'fixed', sizeBytes: 128 * KIB }),
      writer.saveStream(pieces(Buffer.alloc(0), 1), { kind: 'content' }),
    ]);
    await writer.finish();
    expect((await contentOf(content.ids)).equals(body)).toBe(true);
    expect((await contentOf(fixed.ids)).equals(body)).toBe(true);
    expect(fixed.ids.length / 32).toBe(105);
    expect(none).toEqual({ ids: Buffer.alloc(0), sizeBytes: 0, newBytes: 0 });
  });

  test('is stored once, within a session and over several', async () => {
    const text = randomBytes(100 * KIB);
    const [one, other] = [file('one', text), file('other', text)];
    const first = await open();
    const saved = await Promise.all(
      [one, other].map((each) => first.saveFile(each.path, each.sizeBytes)),
    );
    expect(saved[0]?.ids).toEqual(saved[1]?.ids);
    expect(saved.map(({ newBytes }) => newBytes).sort()).toEqual([0, text.length]);
    expect(await first.finish()).toMatchObject({ dataBlobs: 1, packs: 1 });

    const second = await open();
    expect(await second.saveFile(one.path, one.sizeBytes)).toMatchObject({ newBytes: 0 });
    expect(await second.finish()).toMatchObject({ dataBlobs: 0, packs: 0, storedBytes: 0 });
  });

  test('as a tree and as data is two blobs, though the bytes are the same', async () => {
    const writer = await open();
    const bytes = Buffer.from('{"nodes":[]}\n');
    const { ids } = await writer.saveStream(pieces(bytes, 99), { kind: 'content' });
    expect(await writer.saveTree([bytes.subarray(0, 5), bytes.subarray(5)])).toBe(
      ids.toString('hex'),
    );
    await writer.finish();
    expect((await repository.readBlob('tree', ids)).equals(bytes)).toBe(true);
    expect((await repository.readBlob('data', ids)).equals(bytes)).toBe(true);
    expect(repository.index.lookup('tree', ids)?.packId).not.toBe(
      repository.index.lookup('data', ids)?.packId,
    );
  });

  test('is compressed where that helps, and has a pack of its own where it is as large as one', async () => {
    const writer = await open({ packSizeBytes: 64 * KIB });
    const noise = file('noise', randomBytes(200 * KIB));
    const text = file('text', 'again and again '.repeat(5000));
    const [loud, dull] = await Promise.all(
      [noise, text].map((each) => writer.saveFile(each.path, each.sizeBytes)),
    );
    await writer.finish();
    const located = repository.index.lookup('data', loud?.ids as Buffer);
    expect(located).toMatchObject({ compressed: false, length: 200 * KIB + 32 });
    expect(repository.index.packContents(located?.packId as string)).toHaveLength(1);
    expect(repository.index.lookup('data', dull?.ids as Buffer)?.compressed).toBe(true);
  });
});

describe('a file that is not as expected', () => {
  test('is what it is when it is read, shorter or longer', async () => {
    const writer = await open();
    const body = randomBytes(700 * KIB);
    const { path: where } = file('changing', body);
    for (const expected of [0, 1, 699 * KIB, 701 * KIB, 65 * MIB]) {
      const { ids, sizeBytes } = await writer.saveFile(where, expected);
      expect({ expected, sizeBytes, blobs: ids.length / 32 > 0 }).toEqual({
        expected,
        sizeBytes: body.length,
        blobs: true,
      });
    }
    expect(await writer.finish()).toMatchObject({ newBytes: body.length });
  });

  test('rejects with what the system says, and the session goes on', async () => {
    const writer = await open();
    fs.symlinkSync('/etc/hostname', path.join(folder, 'link'));
    makeFifo(Buffer.from(path.join(folder, 'fifo')), 0o600);
    const codeOf = async (name: string, size: number) => {
      const saved = writer.saveFile(Buffer.from(path.join(folder, name)), size);
      return saved.then(
        () => 'saved',
        (error: NodeJS.ErrnoException) => `${error.code} ${error.syscall} ${error.path}`,
      );
    };
    for (const size of [10, 100 * MIB]) {
      expect(await codeOf('absent', size)).toBe(`ENOENT open ${folder}/absent`);
      expect(await codeOf('link', size)).toBe(`ELOOP open ${folder}/link`);
      expect(await codeOf('fifo', size)).toBe(`ESTALE read ${folder}/fifo`);
    }
    expect(await codeOf('.', 10)).toMatch(/^EISDIR read/);
    const { path: where, sizeBytes } = file('fine', 'fine');
    expect(await writer.saveFile(where, sizeBytes)).toMatchObject({ sizeBytes: 4 });
    expect(await writer.finish()).toMatchObject({ dataBlobs: 1 });
  });

  test('a stream that breaks rejects with its own error, and the session goes on', async () => {
    const writer = await open();
    async function* breaking() {
      yield randomBytes(10 * MIB);
      throw new Error('the source went away');
    }
    await expect(writer.saveStream(breaking(), { kind: 'content' })).rejects.toThrow(
      'the source went away',
    );
    await expect(writer.finish()).resolves.toBeDefined();
  });
});

describe('the order of writing', () => {
  test('is packs, then the index that tells of them', async () => {
    const writer = await open({ packSizeBytes: MIB });
    await writer.saveStream(pieces(randomBytes(8 * MIB), MIB), {
      kind: 'fixed',
      sizeBytes: 64 * KIB,
    });
    expect(await namesIn('index/')).toEqual([]);
    await writer.finish();
    const writes = storage.calls.filter((call) => /^write (data|index)/.test(call));
    const kinds = writes.map((call) => call.split(/[ /]/)[1]);
    expect(kinds).toEqual([...kinds].sort());
    expect(kinds.filter((kind) => kind === 'index')).toHaveLength(1);
    expect(repository.index.packCount).toBe(kinds.length - 1);
  });

  test('holds all blobs of a pack in one index file, and no more than 50,000 in one', async () => {
    const store = new PackStore(repository, (error) => {
      throw error;
    });
    const entryBytes = 37;
    for (let pack = 0; pack < 6; pack += 1) {
      const header = randomBytes(10_000 * entryBytes);
      for (let at = 0; at < header.length; at += entryBytes) {
        header[at] = 0;
        header.writeUInt32LE(100, at + 1);
      }
      store.store({ id: randomBytes(32).toString('hex'), parts: [header], header });
    }
    await store.finish();
    expect(store.stats).toMatchObject({ packs: 6, dataBlobs: 60_000 });
    expect(await namesIn('index/')).toHaveLength(2);
    expect(repository.index.blobCount).toBe(60_000);
  });

  test('pulls a stream no faster than packs are stored', async () => {
    await repository.close();
    const memory = new MemoryStorage();
    const gate = Promise.withResolvers<void>();
    const write = memory.write.bind(memory);
    memory.write = async (name, parts) => {
      if (name.startsWith('data/')) await gate.promise;
      await write(name, parts);
    };
    await use(memory);
    const writer = await open({ workers: 1, packSizeBytes: 256 * KIB });
    const totalBytes = 40 * MIB;
    let pulledBytes = 0;
    async function* endless() {
      for (; pulledBytes < totalBytes; pulledBytes += MIB) yield randomBytes(MIB);
    }
    const saved = writer.saveStream(endless(), { kind: 'fixed', sizeBytes: 64 * KIB });
    const deadline = Date.now() + 20_000;
    for (let before = -1, same = 0; same < 20 && Date.now() < deadline; await pause(20)) {
      same = pulledBytes === before && pulledBytes > 0 ? same + 1 : 0;
      before = pulledBytes;
    }
    expect(pulledBytes).toBeLessThan(totalBytes * 0.75);
    gate.resolve();
    expect(await saved).toMatchObject({ sizeBytes: totalBytes, newBytes: totalBytes });
    await writer.finish();
  });
});

describe('what fails', () => {
  const noise = () => pieces(randomBytes(6 * MIB), MIB);

  test.each([
    ['a pack', /^data\//],
    ['an index', /^index\//],
  ])('a full storage at %s ends the session, says so and releases the lock', async (_, name) => {
    const writer = await open({ packSizeBytes: MIB });
    storage.addRule({ on: 'write', name, fault: { kind: 'full' } });
    const outcome = writer
      .saveStream(noise(), { kind: 'fixed', sizeBytes: 64 * KIB })
      .then(() => writer.finish());
    await expect(outcome).rejects.toMatchObject({ code: 'repository/storage-full' });
    await expect(writer.saveTree([Buffer.from('{}')])).rejects.toMatchObject({
      code: 'repository/storage-full',
    });
    await writer.abort();
    expect(await namesIn('locks/')).toEqual([]);
  });

  test('a source that falls silent does not keep a failure from being told', async () => {
    const writer = await open({ packSizeBytes: MIB });
    storage.addRule({ on: 'write', name: /^data/, fault: { kind: 'full' } });
    async function* silent() {
      yield randomBytes(20 * MIB);
      await new Promise(() => {});
    }
    await expect(writer.saveStream(silent(), { kind: 'content' })).rejects.toMatchObject({
      code: 'repository/storage-full',
    });
  });

  test('a worker that dies ends the session with a clear error', async () => {
    const writer = await open();
    // No system call fails on this name: Node refuses it, which nothing in a worker expects.
    const impossible = Buffer.from('/a\0b');
    const stopped = { code: 'repository/writer-stopped' };
    await expect(writer.saveFile(impossible, 1)).rejects.toMatchObject(stopped);
    await expect(writer.saveTree([Buffer.from('{}')])).rejects.toMatchObject(stopped);
    await expect(writer.finish()).rejects.toMatchObject(stopped);
    await writer.abort();
    expect(await namesIn('locks/')).toEqual([]);
  });

  test('giving up rejects what is under way and releases the lock; twice is no error', async () => {
    const writer = await open();
    const saved = writer.saveStream(noise(), { kind: 'content' });
    const rejected = expect(saved).rejects.toMatchObject({ code: 'repository/writer-ended' });
    expect(await namesIn('locks/')).toHaveLength(1);
    await Promise.all([writer.abort(), writer.abort(), rejected]);
    expect(await namesIn('locks/')).toEqual([]);
    await expect(writer.finish()).rejects.toMatchObject({ code: 'repository/writer-ended' });
  });

  test('nothing is taken after the end, and giving up then changes nothing', async () => {
    const writer = await open();
    await writer.finish();
    await writer.abort();
    await expect(writer.saveTree([])).rejects.toMatchObject({ code: 'repository/writer-ended' });
    await expect(writer.finish()).rejects.toMatchObject({ code: 'repository/writer-ended' });
  });

  test('a repository that is locked exclusively is not written to', async () => {
    const lock = await repository.lock('exclusive');
    await expect(openWriter(repository)).rejects.toMatchObject({ code: 'repository/locked' });
    await lock.release();
    expect(await namesIn('locks/')).toEqual([]);
  });
});
