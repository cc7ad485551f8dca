import { expect, test } from 'vitest';
import { MemoryStorage } from './memory.ts';
import { readingAhead } from './reading-ahead.ts';

test('a file is given once from what was read ahead, then as it is; what failed is read again', async () => {
  const inner = new MemoryStorage();
  for (const name of ['a', 'b', 'c']) await inner.write(`snapshots/${name}`, [Buffer.from(name)]);
  const asked: string[] = [];
  let lost = 1;
  const counted = new Proxy(inner, {
    get: (target, property) =>
      property === 'read'
        ? async (...args: Parameters<typeof inner.read>) => {
            asked.push(args[0]);
            if (args[0] === 'snapshots/c' && lost-- > 0) throw new Error('away');
            return await inner.read(...args);
          }
        : (Reflect.get(target, property).bind?.(target) ?? Reflect.get(target, property)),
  });
  const storage = readingAhead(counted, 'snapshots/');
  await expect.poll(() => asked.length).toBe(3);
  expect((await storage.read('snapshots/a')).toString()).toBe('a');
  expect(asked).toHaveLength(3);
  await inner.remove('snapshots/a');
  await expect(storage.read('snapshots/a')).rejects.toThrow('snapshots/a');
  expect((await storage.read('snapshots/c')).toString()).toBe('c');
  expect((await storage.read('snapshots/b', { offset: 0, length: 1 })).toString()).toBe('b');
  expect(asked.filter((name) => name === 'snapshots/b')).toHaveLength(2);
});
