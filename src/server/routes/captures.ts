import { z } from 'zod';
import type { Api } from '../api.ts';
import { failureSchema } from '../failures.ts';
import { instantSchema, nameSchema, progressSchema, scopeSchema, waitSchema } from './values.ts';

export const captureRequestSchema = z.object({
  /** Absent: every store that is protected. */
  store: nameSchema.optional(),
});

export const captureSchema = z
  .object({
    /** Of the run that makes the capture. */
    id: z.string(),
    environment: nameSchema,
    stage: nameSchema,
    store: nameSchema,
    state: z.enum(['waiting', 'running', 'done', 'partial', 'failed']),
    startedAtMs: instantSchema.optional(),
    endedAtMs: instantSchema.optional(),
    /** The capture in the repository, once it is done. */
    capture: z.string().optional(),
    bytes: z.number().optional(),
    newBytes: z.number().optional(),
    storedBytes: z.number().optional(),
    /** Where a source has several ways to read its data: the one that was taken, and why no better one. */
    readBy: z.object({ way: z.string(), because: z.string().optional() }).optional(),
    problems: z.array(z.object({ path: z.string(), what: z.string() })),
    problemCount: z.number(),
    progress: progressSchema.optional(),
    failure: failureSchema.shape.error.optional(),
  })
  .meta({ id: 'Capture' });

export type CaptureRequest = z.infer<typeof captureRequestSchema>;
export type Capture = z.infer<typeof captureSchema>;

export function captureRoutes({ server, operations }: Api): void {
  server.post(
    '/v1/captures',
    {
      schema: {
        operationId: 'protect',
        summary: 'Capture one store or all of them now',
        querystring: scopeSchema,
        body: captureRequestSchema,
        response: { 202: z.array(captureSchema), default: failureSchema },
      },
    },
    async (request, reply) => {
      const started = await operations.protect(request.query, request.body);
      return reply.status(202).send(started);
    },
  );
  server.get(
    '/v1/captures/:id',
    {
      schema: {
        operationId: 'getCapture',
        summary: 'How a capture is getting on; waits for its end as long as asked',
        params: z.object({ id: z.string().max(300) }),
        querystring: waitSchema,
        response: { 200: captureSchema, default: failureSchema },
      },
    },
    (request) => operations.capture(request.params.id, request.query.waitMs),
  );
}
