import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClaimTable, createClaimMemory } from './claim-table.ts';

const idOf = (text: string | number) => createHash('sha256').update(String(text)).digest();

/** Claims the ids of `count` numbers, beginning at its own, and says how many it won. */
const CLAIMER = `
  const { createHash } = require('node:crypto');
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.module).then(({ ClaimTable }) => {
    const table = new ClaimTable(workerData.memory);
    const won = [];
    for (let step = 0; step < workerData.count; step += 1) {
      const number = (workerData.first + step) % workerData.count;
      const id = createHash('sha256').update(String(number)).digest();
      if (table.claim('data', id)) won.push(number);
    }
    parentPort.postMessage(won);
  });
`;

describe('claims', () => {
  test('are won once, as in a set of types and ids, over several levels', () => {
    const table = new ClaimTable(createClaimMemory());
    const model = new Set<string>();
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 30_000 }), { minLength: 400, maxLength: 400 }),
        (numbers) => {
          for (const number of numbers) {
            const type = number % 2 === 0 ? 'data' : 'tree';
            const key = `${type} ${number >> 1}`;
            expect(table.claim(type, idOf(number >> 1))).toBe(!model.has(key));
            model.add(key);
          }
        },
      ),
    );
    for (let number = 40_000; number < 80_000; number += 1) {
      expect(table.claim('data', idOf(number))).toBe(true);
    }
    for (let number = 40_000; number < 80_000; number += 1) {
      expect(table.claim('data', idOf(number))).toBe(false);
    }
  });

  test('tell ids apart that differ in their last byte alone', () => {
    const table = new ClaimTable(createClaimMemory());
    const [one, other] = [idOf('x'), idOf('x')];
    other[31] = (other[31] as number) ^ 1;
    expect([one, other, one, other].map((id) => table.claim('data', id))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  test('by several threads at once leave no id without a winner, and hardly one with two', async () => {
    const memory = createClaimMemory();
    const count = 40_000;
    const module = new URL('claim-table.ts', import.meta.url).href;
    const workers = [0, 0, count / 2].map(
      (first) => new Worker(CLAIMER, { eval: true, workerData: { module, memory, count, first } }),
    );
    const won = await Promise.all(
      workers.map(async (worker) => (await once(worker, 'message'))[0]),
    );
    const winners = won.flat() as number[];
    expect(new Set(winners).size).toBe(count);
    expect(winners.length - count).toBeLessThan(count / 100);
    await Promise.all(workers.map((worker) => worker.terminate()));
  });
});
