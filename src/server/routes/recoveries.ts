import { z } from 'zod';
import type { Api } from '../api.ts';
import { failureSchema } from '../failures.ts';
import { instantSchema, nameSchema, progressSchema, scopeSchema, waitSchema } from './values.ts';

export const recoveryRequestSchema = z.object({
  /** WHEN, already read: the client knows its own time zone. */
  to: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('latest') }),
    z.object({ kind: z.literal('time'), atMs: instantSchema }),
    z.object({ kind: z.literal('lsn'), lsn: z.string().regex(/^\d{1,20}$/) }),
    z.object({
      kind: z.literal('before-mark'),
      markKind: z.string().max(200),
      name: z.string().max(1000).optional(),
    }),
    z.object({ kind: z.literal('restore-point'), name: z.string().min(1).max(200) }),
  ]),
  /** Absent: every store. */
  stores: z.array(nameSchema).max(1000).optional(),
  inPlace: z.boolean().default(false),
  full: z
    .boolean()
    .default(false)
    .describe('Write all data out before anything starts, instead of as it is touched'),
  /** Shows what would be done, and does nothing. */
  dryRun: z.boolean().default(false),
  planned: z
    .string()
    .max(64)
    .optional()
    .describe(
      'Id that a dry run answered: what it showed is what is recovered, for ten minutes; it is chosen anew after them',
    ),
  /** Stores whose skew is beyond the limit and accepted. */
  accept: z.array(nameSchema).max(1000).default([]),
  /** Operating system user that owns what is recovered. */
  owner: z.string().min(1).max(100).optional(),
  timeline: z.number().int().positive().optional(),
});

const selectionSchema = z.object({
  store: nameSchema,
  from: z.string(),
  capture: z.string(),
  atMs: instantSchema,
  skewMs: z.number(),
  uncertaintyMs: z.number(),
  leads: z.boolean(),
  leftBehind: z.string().optional(),
  overLimit: z.boolean(),
  position: z.object({ line: z.number(), offset: z.string() }).optional(),
  bytes: z.number(),
  /** What a person should know before it starts, a sentence each. */
  notes: z.array(z.string()).optional(),
});

export const recoverySchema = z
  .object({
    id: z.string(),
    environment: nameSchema,
    stage: nameSchema,
    status: z.enum([
      'planned',
      'recovering',
      'ready',
      'checks-failed',
      'failed',
      'promoting',
      'promoted',
      'undoing',
      'undone',
      'removing',
      'removed',
    ]),
    inPlace: z.boolean(),
    createdAtMs: instantSchema,
    instantMs: instantSchema,
    title: z.string(),
    folder: z.string().optional(),
    stores: z.array(
      selectionSchema.extend({
        url: z.string().optional(),
        /** File (0600) on the server's host that holds the URL with its password. */
        urlFile: z.string().optional(),
        directory: z.string().optional(),
        replaced: z.string().optional(),
        isMounted: z
          .boolean()
          .optional()
          .describe('Its content comes from the repository as it is touched'),
      }),
    ),
    services: z.array(z.object({ name: z.string(), url: z.string() })),
    checks: z.array(
      z.object({
        name: z.string(),
        verdict: z.enum(['pass', 'fail', 'unknown']),
        what: z.string(),
        tookMs: z.number(),
      }),
    ),
    phases: z.array(z.object({ phase: z.string(), tookMs: z.number() })),
    bytesRead: z.number(),
    notMounted: z
      .string()
      .optional()
      .describe(
        'Why all data was written out before anything started, though it was to be mounted',
      ),
    hydration: z
      .object({
        state: z.enum(['waiting', 'running', 'paused', 'done', 'failed']),
        presentBytes: z.number(),
        totalBytes: z.number(),
        bytesPerSecond: z.number().optional(),
        remainingMs: z.number().optional(),
        failure: z.string().optional(),
        leaveAtMs: instantSchema
          .optional()
          .describe('When its databases are restarted once, to stand on their own'),
      })
      .optional()
      .describe('Of one that is mounted: how much of it is here, and what brings the rest'),
    unserved: z
      .array(nameSchema)
      .optional()
      .describe('Stores whose mount lost the process that served it'),
    troubles: z
      .array(z.string())
      .optional()
      .describe('What went wrong where its mounts were read or kept, in words'),
    progress: progressSchema.optional(),
    failure: failureSchema.shape.error.optional(),
  })
  .meta({ id: 'Recovery' });

export type RecoveryRequest = z.infer<typeof recoveryRequestSchema>;
export type Recovery = z.infer<typeof recoverySchema>;

const idParams = z.object({ id: z.string().regex(/^[a-z0-9-]{1,64}$/) });

export function recoveryRoutes({ server, operations }: Api): void {
  server.get(
    '/v1/recoveries',
    {
      schema: {
        operationId: 'listRecoveries',
        summary: 'What was recovered and lives on',
        querystring: scopeSchema,
        response: { 200: z.array(recoverySchema), default: failureSchema },
      },
    },
    (request) => operations.recoveries(request.query),
  );
  server.post(
    '/v1/recoveries',
    {
      schema: {
        operationId: 'recover',
        summary: 'Bring the environment back as it was, beside production or in its place',
        querystring: scopeSchema,
        body: recoveryRequestSchema,
        response: { 202: recoverySchema, default: failureSchema },
      },
    },
    async (request, reply) => {
      const recovery = await operations.recover(request.query, request.body);
      return reply.status(202).send(recovery);
    },
  );
  server.get(
    '/v1/recoveries/:id',
    {
      schema: {
        operationId: 'getRecovery',
        summary: 'One recovery; waits for its end as long as asked',
        params: idParams,
        querystring: waitSchema,
        response: { 200: recoverySchema, default: failureSchema },
      },
    },
    (request) => operations.recovery(request.params.id, request.query.waitMs),
  );
  for (const change of RECOVERY_CHANGES) {
    server.post(
      `/v1/recoveries/:id/${change}`,
      {
        schema: {
          operationId: `${change}Recovery`,
          summary: CHANGES[change],
          params: idParams,
          response: { 200: recoverySchema, default: failureSchema },
        },
      },
      (request) => operations.changeRecovery(request.params.id, change),
    );
  }
  server.post(
    '/v1/recoveries/:id/hydrate',
    {
      schema: {
        operationId: 'hydrateRecovery',
        summary: 'Bring the rest of it here in the background, at this rate',
        params: idParams,
        body: hydrationRequestSchema,
        response: { 200: recoverySchema, default: failureSchema },
      },
    },
    (request) => operations.hydrateRecovery(request.params.id, request.body.bytesPerSecond),
  );
}

const RECOVERY_CHANGES = ['promote', 'undo', 'remove', 'resume', 'pause', 'leave'] as const;
export type RecoveryChange = (typeof RECOVERY_CHANGES)[number];

const hydrationRequestSchema = z.object({
  bytesPerSecond: z.number().int().positive().max(Number.MAX_SAFE_INTEGER).optional(),
});

const CHANGES: Readonly<Record<RecoveryChange, string>> = {
  promote: 'Put a recovery in the place of production; what it replaces is kept',
  undo: 'Put back what a promoted recovery replaced',
  remove: 'Stop a recovery and remove its data',
  resume: 'Mount it again and start what should run',
  pause: 'Bring no more of it here for now',
  leave: 'Restart its databases on plain folders, once all of it is here',
};
