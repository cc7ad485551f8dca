import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { openWriter } from './open-writer.ts';
import { KIB, MIB, noise, useWriterBench } from './writer-bench.ts';

const bench = useWriterBench();

describe('what fails', () => {
  test.each([
    ['a pack', /^data\//],
    ['an index', /^index\//],
  ])('a full storage at %s ends the session, says so and releases the lock', async (_, name) => {
    const writer = await bench.open({ packSizeBytes: MIB });
    bench.storage.addRule({ on: 'write', name, fault: { kind: 'full' } });
    const outcome = writer
      .saveStream(noise(), { kind: 'fixed', sizeBytes: 64 * KIB })
      .then(() => writer.finish());
    await expect(outcome).rejects.toMatchObject({ code: 'repository/storage-full' });
    await expect(writer.saveTree([Buffer.from('{}')])).rejects.toMatchObject({
      code: 'repository/storage-full',
    });
    await writer.abort();
    expect(await bench.namesIn('locks/')).toEqual([]);
  });

  test('a source that falls silent does not keep a failure from being told', async () => {
    const writer = await bench.open({ packSizeBytes: MIB });
    bench.storage.addRule({ on: 'write', name: /^data/, fault: { kind: 'full' } });
    async function* silent() {
      yield randomBytes(20 * MIB);
      await new Promise(() => {});
    }
    await expect(writer.saveStream(silent(), { kind: 'content' })).rejects.toMatchObject({
      code: 'repository/storage-full',
    });
  });

  test('a worker that dies ends the session with a clear error', async () => {
    const writer = await bench.open();
    // No system call fails on this name: Node refuses it, which nothing in a worker expects.
    const impossible = Buffer.from('/a\0b');
    const stopped = { code: 'repository/writer-stopped' };
    await expect(writer.saveFile(impossible, 1)).rejects.toMatchObject(stopped);
    await expect(writer.saveTree([Buffer.from('{}')])).rejects.toMatchObject(stopped);
    await expect(writer.finish()).rejects.toMatchObject(stopped);
    await writer.abort();
    expect(await bench.namesIn('locks/')).toEqual([]);
  });

  test('giving up rejects what is under way and releases the lock; twice is no error', async () => {
    const writer = await bench.open();
    const saved = writer.saveStream(noise(), { kind: 'content' });
    const rejected = expect(saved).rejects.toMatchObject({ code: 'repository/writer-ended' });
    expect(await bench.namesIn('locks/')).toHaveLength(1);
    await Promise.all([writer.abort(), writer.abort(), rejected]);
    expect(await bench.namesIn('locks/')).toEqual([]);
    await expect(writer.finish()).rejects.toMatchObject({ code: 'repository/writer-ended' });
  });

  test('nothing is taken after the end, and giving up then changes nothing', async () => {
    const writer = await bench.open();
    await writer.finish();
    await writer.abort();
    await expect(writer.saveTree([])).rejects.toMatchObject({ code: 'repository/writer-ended' });
    await expect(writer.finish()).rejects.toMatchObject({ code: 'repository/writer-ended' });
  });

  test('a repository that is locked exclusively is not written to', async () => {
    const lock = await bench.repository.lock('exclusive');
    await expect(openWriter(bench.repository)).rejects.toMatchObject({ code: 'repository/locked' });
    await lock.release();
    expect(await bench.namesIn('locks/')).toEqual([]);
  });
});
