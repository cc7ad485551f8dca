import { z } from 'zod';
import type { Api } from '../api.ts';
import { failureSchema } from '../failures.ts';
import { instantSchema, listSchema, nameSchema, positionSchema, scopeSchema } from './values.ts';

export const markRequestSchema = z.object({
  kind: z.string().regex(/^[a-z][a-z0-9-]{0,99}$/, 'a word of a-z, 0-9 and -'),
  sha: z.string().min(1).max(200).optional(),
  author: z.string().min(1).max(1000).optional(),
  note: z.string().min(1).max(10_000).optional(),
});

export const markSchema = z
  .object({
    id: z.string(),
    environment: nameSchema,
    stage: nameSchema,
    kind: z.string(),
    atMs: instantSchema,
    sha: z.string().optional(),
    author: z.string().optional(),
    note: z.string().optional(),
    positions: z.record(z.string(), positionSchema),
  })
  .meta({ id: 'Mark' });

export type MarkRequest = z.infer<typeof markRequestSchema>;
export type Mark = z.infer<typeof markSchema>;

export function markRoutes({ server, operations }: Api): void {
  server.get(
    '/v1/marks',
    {
      schema: {
        operationId: 'listMarks',
        summary: 'Named instants, newest first',
        querystring: listSchema,
        response: { 200: z.array(markSchema), default: failureSchema },
      },
    },
    ({ query: { limit, ...scope } }) => operations.marks(scope, limit),
  );
  server.post(
    '/v1/marks',
    {
      schema: {
        operationId: 'mark',
        summary: 'Name this instant, as a deploy or anything else',
        querystring: scopeSchema,
        body: markRequestSchema,
        response: { 201: markSchema, default: failureSchema },
      },
    },
    async (request, reply) => {
      const mark = await operations.mark(request.query, request.body);
      return reply.status(201).send(mark);
    },
  );
}
