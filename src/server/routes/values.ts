/** Shapes that several routes share. */
import { z } from 'zod';

export const nameSchema = z.string().regex(/^[a-z0-9-]{1,100}$/, 'a name of a-z, 0-9 and -');

export const scopeSchema = z.object({
  environment: nameSchema.optional(),
  stage: nameSchema.optional(),
});

export const listSchema = scopeSchema.extend({
  limit: z.coerce.number().int().min(1).max(10_000).default(100),
});

export const waitSchema = z.object({
  waitMs: z.coerce.number().int().min(0).max(60_000).default(0),
});

/** Milliseconds since 1970, UTC. */
export const instantSchema = z.number();

/** A position in a journal as text: Postgres `timeline/LSN`. */
export const positionSchema = z.object({ line: z.number(), offset: z.string() });

/** How far something long has come. */
export const progressSchema = z.object({
  step: z.string(),
  doneBytes: z.number().optional(),
  totalBytes: z.number().optional(),
});
