import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { sleepMs } from '#base';
import { BlobCache } from './blob-cache.ts';

const ID = randomBytes(32);
const CONTENT = Buffer.from('what was stored');

/** A repository that can be away, or hold a blob that can't be read. */
function made({ isDamaged = false, patienceMs = 60_000 } = {}) {
  const at = { isAway: true, tries: 0, looks: 0 };
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
  const isAway = async () => {
    at.looks += 1;
    return at.isAway;
  };
  const options = { maxBytes: 1000, isAway, patienceMs, lookEveryMs: 10 };
  return { at, cache: new BlobCache(repository, options) };
}

describe('blobs of a repository that is away', () => {
  it('come when it is back, to whoever waits', async () => {
    const { at, cache } = made();
    const waiting = cache.get(ID);
    while (at.looks < 3) await sleepMs(1);
    expect(at.tries).toBe(1);
    at.isAway = false;
    expect(await waiting).toEqual(CONTENT);
  });

  it('fail after a time, and are tried anew by whoever asks then', async () => {
    const { at, cache } = made({ patienceMs: 0 });
    await expect(cache.get(ID)).rejects.toThrow('it could not be read');
    at.isAway = false;
    expect(await cache.get(ID)).toEqual(CONTENT);
  });

  it('are not tried by whoever asks while it is known to be away', async () => {
    const { at, cache } = made({ patienceMs: 20 });
    for (const id of [ID, randomBytes(32)]) {
      await expect(cache.get(id)).rejects.toThrow('it could not be read');
    }
    expect(at.tries).toBe(1);
  });

  it('come though it came back between a failure and the look for it', async () => {
    const { at, cache } = made();
    const waiting = cache.get(ID);
    while (at.tries === 0) await sleepMs(1);
    at.isAway = false;
    expect(await waiting).toEqual(CONTENT);
    expect(at.tries).toBe(2);
  });

  it('that are lost alone fail when tried once more', async () => {
    const { at, cache } = made({ isDamaged: true });
    at.isAway = false;
    await expect(cache.get(ID)).rejects.toThrow('it could not be read');
    expect(at.tries).toBe(2);
  });
});
