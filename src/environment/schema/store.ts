/** What all stores have in common. */
import { z } from 'zod';
import { controlPart } from './control.ts';
import { duration, span, text } from './values.ts';

const protectPart = z
  .union(
    [
      z.enum(['continuous', 'none']),
      z.strictObject({ every: span.describe('the interval, which is its RPO too') }),
    ],
    {
      error: 'must be continuous, {every: 5m} or none',
    },
  )
  .describe('continuous, {every: 5m}, or none with a reason in because');

export const storePart = z.looseObject({
  type: text.describe('the kind of store'),
  protect: protectPart,
  because: text.optional().describe('why it is not protected'),
  keep: span.default(2_592_000_000).describe('how long recovery points are kept'),
  control: controlPart.optional(),
  rpo: duration.optional().describe('the objective of this store, where it is another'),
});

export type DeclaredStore = z.output<typeof storePart>;

/** Fields that are not the source's own. */
export const COMMON_STORE_FIELDS: ReadonlySet<string> = new Set(Object.keys(storePart.shape));
