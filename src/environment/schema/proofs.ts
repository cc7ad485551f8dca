/** What proving recovery points by themselves may cost. */
import { z } from 'zod';
import { duration } from './values.ts';

const share = (byDefault: string) =>
  z
    .string()
    .regex(/^\d+(\.\d+)?%$/, 'must be a share such as 10%')
    .transform((given) => Number.parseFloat(given) / 100)
    .refine((part) => part > 0 && part <= 1, { error: 'must be more than 0% and at most 100%' })
    .prefault(byDefault);

const settings = z.strictObject({
  cpu: share('10%').describe('of one processor core, over time; by default 10%'),
  read: share('2%').describe(
    'of the bytes of all stores, read within a day; by default 2%, but 64 MiB may always be read',
  ),
  quiet: duration
    .default(60_000)
    .describe('how long nothing else must have gone on before one begins; by default 1m'),
});

export const proofsPart = z
  .union([z.literal('none'), settings], {
    error: 'must be none, or what it may cost: {cpu: 10%, read: 2%}',
  })
  .prefault({})
  .describe(
    'each new recovery point is brought up when the server is idle, checked, and taken away again; objectives.proof says how old the last may be',
  );
