import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { postgresSchema } from './config.ts';

const url = 'postgresql://u@h/d';

describe('the fields of a postgres store', () => {
  test('have safe defaults', () => {
    expect(postgresSchema.parse({ url })).toEqual({
      url,
      method: 'physical',
      acceptUnboundedSlot: false,
      checkpoint: 'fast',
      base: { from: 'production', every: 86_400_000 },
      verifyPages: true,
      synchronousName: 'holdfast',
    });
  });

  test('take sizes as people write them', () => {
    const own = postgresSchema.parse({
      url,
      slotLimit: '20GiB',
      maxRate: '200MiB',
      chunkSize: '256KiB',
    });
    expect(own).toMatchObject({
      slotLimit: 20 * 2 ** 30,
      maxRate: 200 * 2 ** 20,
      chunkSize: 2 ** 18,
    });
  });

  test('take how new bases are made', () => {
    const own = postgresSchema.parse({ url, base: { from: 'copy', every: '6h' } });
    expect(own.base).toEqual({ from: 'copy', every: 6 * 3_600_000 });
  });

  test.each([
    [{ method: 'shadow' }, /shadow: not yet/],
    [{ method: 'dump' }, /dump: not yet/],
    [{ slotLimit: 'much' }, /a size such as 20GiB/],
    [{ maxRate: '1KiB' }, /from 32KiB to 1GiB/],
    [{ chunkSize: '100KiB' }, /multiple of 8KiB/],
    [{ slot: 'Über' }, /lower-case letters/],
    [{ sloLimit: '1GiB' }, /sloLimit/],
    [{ base: { every: 'often' } }, /a duration such as 6h/],
    [{ base: { from: 'standby' } }, /production.*copy/],
  ])('%j is refused in words', (field, message) => {
    const result = postgresSchema.safeParse({ url, ...field });
    expect(result.error?.message).toMatch(message);
  });

  test('are given out as JSON Schema', () => {
    expect(z.toJSONSchema(postgresSchema, { io: 'input' })).toMatchObject({ required: ['url'] });
  });
});
