import { randomBytes } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { openUnlocked } from '../open-unlocked.ts';
import { openWriter } from './open-writer.ts';
import { SealingThreads } from './sealing-threads.ts';
import { MIB, pieces, useWriterBench } from './writer-bench.ts';

const bench = useWriterBench();

/** More than is done without threads. */
const save = async (body = randomBytes(12 * MIB)) => {
  const writer = await bench.open();
  const { ids } = await writer.saveStream(pieces(body, MIB), { kind: 'content' });
  await writer.finish();
  return ids;
};

describe('threads', () => {
  test('serve one session after another, each with what the one before stored', async () => {
    const body = randomBytes(12 * MIB);
    const ids = await save(body);
    const sealingThreads = bench.repository.sealing.threads;
    const [one, other] = [sealingThreads.lend(), sealingThreads.lend()];
    await Promise.all([sealingThreads.giveBack(one), sealingThreads.giveBack(other)]);
    const writer = await bench.open();
    const again = await writer.saveStream(pieces(body, MIB), { kind: 'content' });
    expect(again).toMatchObject({ newBytes: 0, sizeBytes: body.length });
    await writer.saveStream(pieces(randomBytes(12 * MIB), MIB), { kind: 'content' });
    expect(await writer.finish()).toMatchObject({ newBytes: 12 * MIB });
    expect(again.ids).toEqual(ids);
    const kept = [sealingThreads.lend(), sealingThreads.lend()];
    expect(kept.map(({ threadId }) => threadId).sort()).toEqual(
      [one, other].map(({ threadId }) => threadId).sort(),
    );
    await Promise.all(kept.map((worker) => worker.terminate()));
  });

  test('that were prepared serve the next session, and no more of them than were asked for', async () => {
    const sealingThreads = bench.repository.sealing.threads;
    sealingThreads.prepare(1);
    const first = sealingThreads.lend();
    await sealingThreads.giveBack(first);
    sealingThreads.prepare(2);
    const prepared = [sealingThreads.lend(), sealingThreads.lend()];
    expect(prepared).toContain(first);
    for (const worker of prepared) await sealingThreads.giveBack(worker);
    sealingThreads.prepare(2);
    await save();
    const kept = [sealingThreads.lend(), sealingThreads.lend()];
    expect(new Set(kept)).toEqual(new Set(prepared));
    await Promise.all(kept.map((worker) => worker.terminate()));
  });

  test('that were prepared before there was a key serve once there is one', async () => {
    const threads = new SealingThreads();
    threads.prepare(1);
    expect(() => threads.lend()).toThrow('before there was a key');
    const { masterKey } = bench.repository;
    const unlocked = { storage: bench.storage, masterKey, keyId: '' };
    const repository = await openUnlocked(unlocked, {
      cache: false,
      threads: { sealing: threads },
    });
    const prepared = threads.lend();
    await threads.giveBack(prepared);
    const body = randomBytes(12 * MIB);
    const writer = await openWriter(repository, { workers: 1 });
    const { ids } = await writer.saveStream(pieces(body, MIB), { kind: 'content' });
    await writer.finish();
    expect(threads.lend()).toBe(prepared);
    await prepared.terminate();
    await bench.repository.loadIndex();
    expect(body.equals(await bench.contentOf(ids))).toBe(true);
  });

  test('of a session that was given up serve nobody', async () => {
    const writer = await bench.open();
    const saved = writer.saveStream(pieces(randomBytes(24 * MIB), MIB), { kind: 'content' });
    const rejected = expect(saved).rejects.toMatchObject({ code: 'repository/writer-ended' });
    await writer.abort();
    await rejected;
    const ids = await save();
    expect((await bench.contentOf(ids)).length).toBe(12 * MIB);
  });

  test('that end while they wait are not lent any more', async () => {
    const sealingThreads = bench.repository.sealing.threads;
    const worker = sealingThreads.lend();
    await sealingThreads.giveBack(worker);
    await worker.terminate();
    const next = sealingThreads.lend();
    expect(next).not.toBe(worker);
    await next.terminate();
  });

  test('are ended with the repository, also those given back later', async () => {
    const sealingThreads = bench.repository.sealing.threads;
    const [waiting, late] = [sealingThreads.lend(), sealingThreads.lend()];
    await sealingThreads.giveBack(waiting);
    await sealingThreads.close();
    await sealingThreads.giveBack(late);
    expect([waiting.threadId, late.threadId]).toEqual([-1, -1]);
  });

  test('are not needed for little', async () => {
    const lend = vi.spyOn(bench.repository.sealing.threads, 'lend');
    const writer = await bench.open();
    const { path, sizeBytes } = bench.file('little', 'little');
    const { ids } = await writer.saveFile(path, sizeBytes);
    await writer.saveTree([Buffer.from('{"nodes":[]}\n')]);
    expect(await writer.finish()).toMatchObject({ dataBlobs: 1, treeBlobs: 1, packs: 2 });
    expect((await bench.contentOf(ids)).toString()).toBe('little');
    expect(lend).not.toHaveBeenCalled();
  });
});
