import { z } from 'zod';
import type { Api } from '../api.ts';
import { failureSchema } from '../failures.ts';
import { proofVerdictSchema } from './proofs.ts';
import { instantSchema, listSchema } from './values.ts';

export const pointSchema = z
  .object({
    id: z.string(),
    atMs: instantSchema,
    stores: z.record(
      z.string(),
      z.object({
        capture: z.string(),
        /** The capture that it was made of together with the journal, without asking the store. */
        madeOf: z.string().optional(),
      }),
    ),
    infrastructure: z.string().optional(),
    services: z.record(z.string(), z.object({ version: z.string().optional() })),
    /** The last time it was brought up; absent: not yet. */
    proof: z
      .object({
        id: z.string(),
        verdict: proofVerdictSchema,
        atMs: instantSchema,
        /** The first check that didn't pass. */
        failedBy: z.string().optional(),
      })
      .optional(),
  })
  .meta({
    id: 'Point',
    description: `An instant to which the whole environment can be brought back.`,
  });

export type Point = z.infer<typeof pointSchema>;

export function pointRoutes({ server, operations }: Api): void {
  server.get(
    '/v1/points',
    {
      schema: {
        operationId: 'listPoints',
        summary: 'Recovery points, newest first',
        querystring: listSchema,
        response: { 200: z.array(pointSchema), default: failureSchema },
      },
    },
    ({ query: { limit, ...scope } }) => operations.points(scope, limit),
  );
}
