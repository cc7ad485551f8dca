import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sleepMs } from '#base';
import { BlobCache } from './blob-cache.ts';

const ID = randomBytes(32);
const CONTENT = Buffer.from('what was stored');

/** A repository that can be away, or hold a blob that can't be read. */
function made({ isDamaged = false, patienceMs = 60_000 } = {}) {
  const at = { isAway: true, tries: 0 };
  const repository = {
    readBlobs: async (
      _: unknown,
      ids: Uint8Array,
      take: (id: Buffer, bytes: Buffer) => void | Promise<void>,
    ) => {
      at.tries += 1;
      if (at.isAway || isDamaged) throw new Error('it could not be read');
      await take(Buffer.from(ids), CONTENT);
    },
  };
  const isAway = async () => at.isAway;
  return { at, cache: new BlobCache(repository, { maxBytes: 1000, isAway, patienceMs }) };
}

describe('blobs of a repository that is away', () => {
  it('come when it is back, to whoever waits', async () => {
    const { at, cache } = made();
    const waiting = cache.get(ID);
    while (at.tries === 0) await sleepMs(1);
    at.isAway = false;
    expect(await waiting).toEqual(CONTENT);
  });

  it('fail after a time, and are tried anew by whoever asks then', async () => {
    const { at, cache } = made({ patienceMs: 0 });
    await expect(cache.get(ID)).rejects.toThrow('it could not be read');
    at.isAway = false;
    expect(await cache.get(ID)).toEqual(CONTENT);
  });

  it('fail at once for whoever asks when it has been away for that time', async () => {
    const { at, cache } = made({ patienceMs: 20 });
    await expect(cache.get(ID)).rejects.toThrow('it could not be read');
    expect(at.tries).toBe(2);
    await expect(cache.get(ID)).rejects.toThrow('it could not be read');
    expect(at.tries).toBe(3);
  });

  it('that are lost alone fail at once', async () => {
    const { at, cache } = made({ isDamaged: true });
    at.isAway = false;
    await expect(cache.get(ID)).rejects.toThrow('it could not be read');
    expect(at.tries).toBe(1);
  });
});
