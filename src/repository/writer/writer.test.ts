import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { makeFifo } from '#base';
import { PackStore } from './pack-store.ts';
import { KIB, MIB, pieces, useWriterBench } from './writer-bench.ts';

const bench = useWriterBench();

describe('what is saved', () => {
  test('can be read again: small, large, empty, many at once', async () => {
    const writer = await bench.open();
    const bodies = Array.from({ length: 300 }, (_, number) => randomBytes(number * 37));
    bodies.push(randomBytes(3 * MIB), Buffer.alloc(66 * MIB, 'very large and dull '));
    const saved = await Promise.all(
      bodies.map((body, number) => {
        const { path: where, sizeBytes } = bench.file(`f${number}`, body);
        return writer.saveFile(where, sizeBytes);
      }),
    );
    const stats = await writer.finish();
    for (const [number, body] of bodies.entries()) {
      expect(saved[number]?.sizeBytes).toBe(body.length);
      const content = await bench.contentOf(saved[number]?.ids as Buffer);
      expect(content.equals(body)).toBe(true);
    }
    expect(saved[0]?.ids.length).toBe(0);
    const newBytes = saved.reduce((sum, one) => sum + one.newBytes, 0);
    expect(stats.newBytes).toBe(newBytes);
    expect(stats.packs).toBe((await bench.namesIn('data/')).length);
  });

  test('of trees too large for one piece of memory can be read again, and is stored once', async () => {
    const writer = await bench.open();
    const part = Buffer.from(randomBytes(KIB).toString('hex'));
    const parts = Array.from({ length: 17_000 }, (_, number) => {
      part.writeUInt32LE(number, 100);
      return Buffer.from(part);
    });
    const [id, again] = await Promise.all([
      writer.saveLargeTree(parts),
      writer.saveLargeTree(parts),
    ]);
    expect(again).toBe(id);
    expect(await writer.finish()).toMatchObject({ treeBlobs: 1, packs: 1 });
    const whole = Buffer.concat(parts);
    expect((await bench.repository.readBlob('tree', id)).equals(whole)).toBe(true);
    const read: boolean[] = [];
    await bench.repository.readBlobs('tree', Buffer.from(id, 'hex'), (_id, bytes, isOwn) => {
      read.push(isOwn === true && bytes.equals(whole));
    });
    expect(read).toEqual([true]);
    const next = await bench.open();
    expect(await next.saveLargeTree(parts)).toBe(id);
    expect(await next.finish()).toMatchObject({ packs: 0 });
  });

  test('of files that are changed by pages is cut by pages, however large they are', async () => {
    const writer = await bench.open();
    const ids: Buffer[] = [];
    for (const mib of [2, 66]) {
      const image = Buffer.alloc(mib * MIB, 'dull, but for its pages ');
      image.write('XFSB');
      for (let at = 0; at < image.length; at += 32 * KIB) image.writeUInt32LE(at, at + 100);
      const { path: where, sizeBytes } = bench.file(`image${mib}`, image);
      const saved = await writer.saveFile(where, sizeBytes);
      expect(saved).toMatchObject({ sizeBytes });
      expect(saved.ids).toHaveLength((image.length / (32 * KIB)) * 32);
      ids.push(saved.ids);
      image.writeUInt32LE(mib, 33 * KIB);
      bench.file(`image${mib}`, image);
      expect(await writer.saveFile(where, sizeBytes)).toMatchObject({ newBytes: 32 * KIB });
    }
    await writer.finish();
    const content = await bench.contentOf(ids[1] as Buffer);
    expect(content.length).toBe(66 * MIB);
    expect(content.readUInt32LE(65 * MIB + 100)).toBe(65 * MIB);
  });

  test.each([{ kind: 'content' }, { kind: 'fixed', sizeBytes: 100_000 }] as const)(
    'of holes is what reading their zeros would give ($kind)',
    async (chunking) => {
      const isFixed = chunking.kind === 'fixed';
      const writer = await bench.open(isFixed ? { fixedChunkBytes: chunking.sizeBytes } : {});
      const sizeBytes = 150 * MIB + 777;
      const { path: where } = bench.file('sparse', '');
      const file = fs.openSync(where, 'r+');
      fs.ftruncateSync(file, sizeBytes);
      // Data at places that fit nothing, holes shorter and longer than a chunk, and one at the end.
      for (const [at, bytes] of [
        [5000, 3 * MIB],
        [7 * MIB + 4097, 100],
        [31 * MIB, 20 * MIB + 12_345],
        [110 * MIB + 1, 2 * MIB],
      ] as const) {
        fs.writeSync(file, randomBytes(bytes), 0, bytes, at);
      }
      fs.closeSync(file);
      const saved = await writer.saveFile(where, sizeBytes);
      const bytes = fs.readFileSync(where);
      const read = await writer.saveStream(pieces(bytes, MIB), chunking);
      expect(saved.sizeBytes).toBe(sizeBytes);
      expect(saved.ids.equals(read.ids)).toBe(true);
      expect(read.newBytes).toBe(0);
      await writer.finish();
    },
  );

  test('of a file of 256 GiB without data takes no time', async () => {
    const writer = await bench.open();
    const { path: where } = bench.file('huge', '');
    fs.truncateSync(where, 256 * 1024 * MIB);
    const saved = await writer.saveFile(where, 256 * 1024 * MIB);
    expect(saved.sizeBytes).toBe(256 * 1024 * MIB);
    expect(saved.newBytes).toBeLessThanOrEqual(8 * MIB);
    await writer.finish();
  }, 20_000);

  test('of fixed size where that is asked for, of any file of a MiB and more', async () => {
    const writer = await bench.open({ fixedChunkBytes: 100_000 });
    for (const bytes of [MIB, 65 * MIB + 1]) {
      const body = randomBytes(bytes);
      const { path: where, sizeBytes } = bench.file('body', body);
      const saved = await writer.saveFile(where, sizeBytes);
      expect(saved.ids).toHaveLength(Math.ceil(bytes / 100_000) * 32);
      const gone = writer.saveFile(Buffer.from('/nowhere/at/all'), bytes);
      await expect(gone).rejects.toMatchObject({ code: 'ENOENT' });
      fs.truncateSync(where, bytes - 1000);
      expect((await writer.saveFile(where, sizeBytes)).sizeBytes).toBe(bytes - 1000);
    }
    await writer.finish();
  });

  test('streams keep their order, whatever the pieces and the chunks', async () => {
    const writer = await bench.open();
    const body = randomBytes(13 * MIB + 5);
    const [content, fixed, none] = await Promise.all([
      writer.saveStream(pieces(body, 1_000_003), { kind: 'content' }),
      writer.saveStream(pieces(body, 9 * MIB), { kind: 'fixed', sizeBytes: 128 * KIB }),
      writer.saveStream(pieces(Buffer.alloc(0), 1), { kind: 'content' }),
    ]);
    await writer.finish();
    expect((await bench.contentOf(content.ids)).equals(body)).toBe(true);
    expect((await bench.contentOf(fixed.ids)).equals(body)).toBe(true);
    expect(fixed.ids.length / 32).toBe(105);
    expect(none).toEqual({ ids: Buffer.alloc(0), sizeBytes: 0, newBytes: 0 });
  });

  test('is stored once, within a session and over several', async () => {
    const text = randomBytes(100 * KIB);
    const [one, other] = [bench.file('one', text), bench.file('other', text)];
    const first = await bench.open();
    const saved = await Promise.all(
      [one, other].map((each) => first.saveFile(each.path, each.sizeBytes)),
    );
    expect(saved[0]?.ids).toEqual(saved[1]?.ids);
    expect(saved.map(({ newBytes }) => newBytes).sort()).toEqual([0, text.length]);
    expect(await first.finish()).toMatchObject({ dataBlobs: 1, packs: 1 });

    const second = await bench.open();
    expect(await second.saveFile(one.path, one.sizeBytes)).toMatchObject({ newBytes: 0 });
    expect(await second.finish()).toMatchObject({ dataBlobs: 0, packs: 0, storedBytes: 0 });
  });

  test('as a tree and as data is two blobs, though the bytes are the same', async () => {
    const writer = await bench.open();
    const bytes = Buffer.from('{"nodes":[]}\n');
    const { ids } = await writer.saveStream(pieces(bytes, 99), { kind: 'content' });
    expect(await writer.saveTree([bytes.subarray(0, 5), bytes.subarray(5)])).toBe(
      ids.toString('hex'),
    );
    await writer.finish();
    expect((await bench.repository.readBlob('tree', ids)).equals(bytes)).toBe(true);
    expect((await bench.repository.readBlob('data', ids)).equals(bytes)).toBe(true);
    expect(bench.repository.index.lookup('tree', ids)?.packId).not.toBe(
      bench.repository.index.lookup('data', ids)?.packId,
    );
  });

  test('is compressed where that helps, and has a pack of its own where it is as large as one', async () => {
    const writer = await bench.open({ packSizeBytes: 64 * KIB });
    const noise = bench.file('noise', randomBytes(200 * KIB));
    const text = bench.file('text', 'again and again '.repeat(5000));
    const [loud, dull] = await Promise.all(
      [noise, text].map((each) => writer.saveFile(each.path, each.sizeBytes)),
    );
    await writer.finish();
    const located = bench.repository.index.lookup('data', loud?.ids as Buffer);
    expect(located).toMatchObject({ compressed: false, length: 200 * KIB + 32 });
    expect(bench.repository.index.packContents(located?.packId as string)).toHaveLength(1);
    expect(bench.repository.index.lookup('data', dull?.ids as Buffer)?.compressed).toBe(true);
  });
});

describe('a file that is not as expected', () => {
  test('is what it is when it is read, shorter or longer', async () => {
    const writer = await bench.open();
    const body = randomBytes(700 * KIB);
    const { path: where } = bench.file('changing', body);
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
    const writer = await bench.open();
    fs.symlinkSync('/etc/hostname', path.join(bench.folder, 'link'));
    makeFifo(Buffer.from(path.join(bench.folder, 'fifo')), 0o600);
    const codeOf = async (name: string, size: number) => {
      const saved = writer.saveFile(Buffer.from(path.join(bench.folder, name)), size);
      return saved.then(
        () => 'saved',
        (error: NodeJS.ErrnoException) => `${error.code} ${error.syscall} ${error.path}`,
      );
    };
    for (const size of [10, 100 * MIB]) {
      expect(await codeOf('absent', size)).toBe(`ENOENT open ${bench.folder}/absent`);
      expect(await codeOf('link', size)).toBe(`ELOOP open ${bench.folder}/link`);
      expect(await codeOf('fifo', size)).toBe(`ESTALE read ${bench.folder}/fifo`);
    }
    expect(await codeOf('.', 10)).toMatch(/^EISDIR read/);
    const { path: where, sizeBytes } = bench.file('fine', 'fine');
    expect(await writer.saveFile(where, sizeBytes)).toMatchObject({ sizeBytes: 4 });
    expect(await writer.finish()).toMatchObject({ dataBlobs: 1 });
  });

  test('a stream that breaks rejects with its own error, and the session goes on', async () => {
    const writer = await bench.open();
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
    const writer = await bench.open({ packSizeBytes: MIB });
    await writer.saveStream(pieces(randomBytes(8 * MIB), MIB), {
      kind: 'fixed',
      sizeBytes: 64 * KIB,
    });
    expect(await bench.namesIn('index/')).toEqual([]);
    await writer.finish();
    const writes = bench.storage.calls.filter((call) => /^write (data|index)/.test(call));
    const kinds = writes.map((call) => call.split(/[ /]/)[1]);
    expect(kinds).toEqual([...kinds].sort());
    expect(kinds.filter((kind) => kind === 'index')).toHaveLength(1);
    expect(bench.repository.index.packCount).toBe(kinds.length - 1);
  });

  test('holds all blobs of a pack in one index file, and no more than 50,000 in one', async () => {
    const store = new PackStore(bench.repository, (error) => {
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
    expect(await bench.namesIn('index/')).toHaveLength(2);
    expect(bench.repository.index.blobCount).toBe(60_000);
  });

  test('pulls a stream no faster than packs are stored', async () => {
    const gate = Promise.withResolvers<void>();
    const write = bench.memory.write.bind(bench.memory);
    bench.memory.write = async (name, parts) => {
      if (name.startsWith('data/')) await gate.promise;
      await write(name, parts);
    };
    const writer = await bench.open({ workers: 1, packSizeBytes: 256 * KIB });
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
