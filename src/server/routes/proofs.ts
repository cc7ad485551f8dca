import { z } from 'zod';
import type { Api } from '../api.ts';
import { failureSchema } from '../failures.ts';
import { recoveryRequestSchema } from './recoveries.ts';
import {
  instantSchema,
  listSchema,
  nameSchema,
  positionSchema,
  progressSchema,
  scopeSchema,
  waitSchema,
} from './values.ts';

export const proofRequestSchema = recoveryRequestSchema.pick({ full: true, owner: true }).extend({
  /** WHEN, already read. Absent: the newest recovery point. */
  to: recoveryRequestSchema.shape.to.optional(),
});

export const proofVerdictSchema = z.enum(['pass', 'fail', 'unknown']);

export const proofSchema = z
  .object({
    id: z.string(),
    environment: nameSchema,
    stage: nameSchema,
    /** What was brought up, and the recovery point that it is, if it is one. */
    instantMs: instantSchema,
    point: z.string().optional(),
    startedAtMs: instantSchema,
    endedAtMs: instantSchema,
    verdict: proofVerdictSchema,
    checks: z.array(
      z.object({
        name: z.string(),
        verdict: proofVerdictSchema,
        what: z.string(),
        tookMs: z.number(),
      }),
    ),
    phases: z.array(z.object({ phase: z.string(), tookMs: z.number() })),
    stores: z.record(
      z.string(),
      z.object({ capture: z.string(), atMs: instantSchema, position: positionSchema.optional() }),
    ),
    /** Plain bytes that were fetched from the repository. */
    readBytes: z.number(),
    /** Processor time of everything that took part. */
    cpuMs: z.number(),
    digest: z.string(),
    declaration: z.string(),
    by: z.object({ version: z.string(), host: z.string(), controlPlane: z.string().optional() }),
  })
  .meta({
    id: 'Proof',
    description: 'The record of an instant that was brought up and looked at.',
  });

export const proofRunSchema = z
  .object({
    id: z.string(),
    environment: nameSchema,
    stage: nameSchema,
    state: z.enum(['waiting', 'running', 'done', 'failed']),
    proof: proofSchema.optional(),
    notMounted: z.string().optional().describe('Why all data was written out first'),
    progress: progressSchema.optional(),
    failure: failureSchema.shape.error.optional(),
  })
  .meta({ id: 'ProofRun' });

export type ProofRequest = z.infer<typeof proofRequestSchema>;
export type Proof = z.infer<typeof proofSchema>;
export type ProofRun = z.infer<typeof proofRunSchema>;

export function proofRoutes({ server, operations }: Api): void {
  server.get(
    '/v1/proofs',
    {
      schema: {
        operationId: 'listProofs',
        summary: 'What was brought up and looked at, newest first',
        querystring: listSchema,
        response: { 200: z.array(proofSchema), default: failureSchema },
      },
    },
    ({ query: { limit, ...scope } }) => operations.proofs(scope, limit),
  );
  server.post(
    '/v1/proofs',
    {
      schema: {
        operationId: 'prove',
        summary: 'Bring an instant up in isolation, check it, and take it away again',
        querystring: scopeSchema,
        body: proofRequestSchema,
        response: { 202: proofRunSchema, default: failureSchema },
      },
    },
    async (request, reply) => {
      const run = await operations.prove(request.query, request.body);
      return reply.status(202).send(run);
    },
  );
  server.get(
    '/v1/proofs/runs/:id',
    {
      schema: {
        operationId: 'getProofRun',
        summary: 'How a proof that was asked for is getting on; waits for its end as long as asked',
        params: z.object({ id: z.string().max(300) }),
        querystring: waitSchema,
        response: { 200: proofRunSchema, default: failureSchema },
      },
    },
    (request) => operations.proofRun(request.params.id, request.query.waitMs),
  );
}
