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

  test.each([
    [{ method: 'shadow' }, /shadow: not yet/],
    [{ method: 'dump' }, /dump: not yet/],
    [{ slotLimit: 'much' }, /a size such as 20GiB/],
    [{ maxRate: '1KiB' }, /from 32KiB to 1GiB/],
    [{ chunkSize: '100KiB' }, /multiple of 8KiB/],
    [{ slot: 'Über' }, /lower-case letters/],
    [{ sloLimit: '1GiB' }, /sloLimit/],
  ])('%j is refused in words', (field, message) => {
    const result = postgresSchema.safeParse({ url, ...field });
    expect(result.error?.message).toMatch(message);
  });

  test('are given out as JSON Schema', () => {
    expect(z.toJSONSchema(postgresSchema, { io: 'input' })).toMatchObject({ required: ['url'] });
  });
});
