/** Parts of stores: rows, tables and files of an instant, what differs between two, until when a condition held. */
import { z } from 'zod';
import type { Api } from '../api.ts';
import { failureSchema } from '../failures.ts';
import { recoveryRequestSchema } from './recoveries.ts';
import { instantSchema, nameSchema, progressSchema, scopeSchema, waitSchema } from './values.ts';

const when = recoveryRequestSchema.shape.to;
const owner = recoveryRequestSchema.shape.owner;
const tableName = z.string().min(1).max(400);
const database = z.string().min(1).max(200).optional();
const productionUrl = z
  .string()
  .max(4000)
  .optional()
  .describe("Address of a role that may write there, where the store's own may only read");

const tablesRequestSchema = z.object({
  kind: z.literal('tables'),
  to: when,
  /** Absent: the only store that holds tables. */
  store: nameSchema.optional(),
  tables: z.array(tableName).min(1).max(1000),
  where: z.string().max(100_000).optional(),
  into: z.enum(['new', 'existing']).describe('new tables, or merged into those that are there'),
  as: tableName.optional(),
  update: z.boolean().default(false),
  undo: z.boolean().default(true),
  timeline: recoveryRequestSchema.shape.timeline,
  ...{ database, productionUrl, owner },
});

const filesRequestSchema = z.object({
  kind: z.literal('files'),
  to: when,
  store: nameSchema,
  from: z.string().max(4096).describe('a file or folder below that of the store'),
  as: z.string().min(1).max(4096).optional(),
  overwrite: z.boolean().default(false),
});

const differenceRequestSchema = z.object({
  kind: z.literal('difference'),
  before: when,
  after: when,
  stores: z.array(nameSchema).max(1000).optional(),
  tables: z.array(tableName).max(1000).optional(),
  ...{ database, owner },
});

const conditionRequestSchema = z.object({
  kind: z.literal('condition'),
  store: nameSchema.optional(),
  sql: z.string().min(1).max(100_000),
  from: when.optional(),
  to: when,
  precisionMs: z.number().int().min(1).default(1000),
  ...{ database, owner },
});

export const partRequestSchema = z.discriminatedUnion('kind', [
  tablesRequestSchema,
  filesRequestSchema,
  differenceRequestSchema,
  conditionRequestSchema,
]);

const shownRowSchema = z.object({
  change: z.enum(['insert', 'update']),
  values: z.record(z.string(), z.string().nullable()),
  becomes: z
    .record(z.string(), z.object({ now: z.string().nullable(), was: z.string().nullable() }))
    .optional(),
});

const tablePreviewSchema = z.object({
  table: z.string(),
  target: z.string(),
  rows: z.number(),
  inserts: z.number(),
  updates: z.number(),
  differing: z.number(),
  first: z.array(shownRowSchema),
  notes: z.array(z.string()),
});

const filesPreviewSchema = z.object({
  from: z.string(),
  to: z.string(),
  files: z.number(),
  bytes: z.number(),
  added: z.number(),
  same: z.number(),
  replaced: z.number(),
  first: z.array(
    z.object({ path: z.string(), change: z.enum(['added', 'replaced']), sizeBytes: z.number() }),
  ),
});

export const differenceSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('table'),
    store: z.string(),
    database: z.string(),
    table: z.string(),
    change: z.enum(['same', 'changed', 'added', 'removed']),
    inserted: z.number(),
    updated: z.number(),
    deleted: z.number(),
    byRow: z.boolean(),
    byFiles: z.boolean(),
    schema: z.array(z.string()),
  }),
  z.object({
    kind: z.literal('file'),
    store: z.string(),
    path: z.string(),
    change: z.enum(['added', 'changed', 'removed']),
  }),
  z.object({ kind: z.literal('same'), store: z.string() }),
]);

export const partSchema = z
  .object({
    id: z.string(),
    environment: nameSchema,
    stage: nameSchema,
    kind: z.enum(['tables', 'files', 'difference', 'condition']),
    state: z
      .enum(['working', 'previewed', 'applying', 'done', 'failed', 'discarded'])
      .describe('previewed: what would change is shown, and nothing does before it is applied'),
    store: nameSchema.optional(),
    atMs: instantSchema.optional().describe('What the store is as of; of two instants the earlier'),
    untilMs: instantSchema.optional().describe('The later of two instants'),
    title: z.string().optional(),
    notes: z.array(z.string()),
    tables: z.array(tablePreviewSchema).optional(),
    files: filesPreviewSchema.optional(),
    taken: z
      .object({
        tables: z.array(
          z.object({
            table: z.string(),
            target: z.string(),
            inserted: z.number(),
            updated: z.number(),
          }),
        ),
        undo: z.string().optional().describe('id by which it can be taken back'),
      })
      .optional(),
    kept: z.string().optional().describe('Folder that holds the files that were replaced'),
    problems: z.array(z.object({ path: z.string(), what: z.string() })).optional(),
    condition: z
      .object({
        heldMs: instantSchema,
        failedMs: instantSchema,
        isExact: z.boolean(),
        copies: z.number(),
      })
      .optional(),
    differences: z
      .number()
      .optional()
      .describe('How many there are to be read; more may have been found'),
    hasMore: z.boolean().optional().describe('More differences were found than are kept'),
    expiresAtMs: instantSchema.optional().describe('Discarded then, unless it is applied'),
    progress: progressSchema.optional(),
    failure: failureSchema.shape.error.optional(),
  })
  .meta({ id: 'Part', description: 'A part of a store, looked up in a copy that passes.' });

const undoRequestSchema = z.object({ store: nameSchema.optional(), database, productionUrl });

export const undoneMergeSchema = z
  .object({
    id: z.string(),
    tables: z.array(
      z.object({
        table: z.string(),
        removed: z.number(),
        restored: z.number(),
        changedSince: z.number(),
      }),
    ),
  })
  .meta({ id: 'UndoneMerge' });

export type PartRequest = z.infer<typeof partRequestSchema>;
export type Part = z.infer<typeof partSchema>;
export type Difference = z.infer<typeof differenceSchema>;
export type UndoMergeRequest = z.infer<typeof undoRequestSchema>;
export type UndoneMerge = z.infer<typeof undoneMergeSchema>;

const idParams = z.object({ id: z.string().regex(/^[a-z0-9]{1,64}$/) });
const pageSchema = z.object({
  from: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(10_000).default(1000),
});

export function partRoutes({ server, operations }: Api): void {
  server.post(
    '/v1/parts',
    {
      schema: {
        operationId: 'beginPart',
        summary: 'Look a part of a store up in a copy; what would change production only shows it',
        querystring: scopeSchema,
        body: partRequestSchema,
        response: { 202: partSchema, default: failureSchema },
      },
    },
    async (request, reply) => {
      const part = await operations.beginPart(request.query, request.body);
      return reply.status(202).send(part);
    },
  );
  server.get(
    '/v1/parts/:id',
    {
      schema: {
        operationId: 'getPart',
        summary: 'How it is getting on; waits for its preview or end as long as asked',
        params: idParams,
        querystring: waitSchema,
        response: { 200: partSchema, default: failureSchema },
      },
    },
    (request) => operations.part(request.params.id, request.query.waitMs),
  );
  server.get(
    '/v1/parts/:id/differences',
    {
      schema: {
        operationId: 'listDifferences',
        summary: 'What differs, as far as it was found, in the order in which it was',
        params: idParams,
        querystring: pageSchema,
        response: { 200: z.array(differenceSchema), default: failureSchema },
      },
    },
    ({ params, query }) => operations.differences(params.id, query.from, query.limit),
  );
  for (const decision of ['apply', 'discard'] as const) {
    server.post(
      `/v1/parts/:id/${decision}`,
      {
        schema: {
          operationId: `${decision}Part`,
          summary:
            decision === 'apply'
              ? 'Change production as the preview showed it'
              : 'Give it up and take its copy away',
          params: idParams,
          response: { 200: partSchema, default: failureSchema },
        },
      },
      (request) => operations.decidePart(request.params.id, decision),
    );
  }
  server.post(
    '/v1/merges/:id/undo',
    {
      schema: {
        operationId: 'undoMerge',
        summary: 'Take back the rows that a merge brought, but for what was changed since',
        params: idParams,
        querystring: scopeSchema,
        body: undoRequestSchema,
        response: { 200: undoneMergeSchema, default: failureSchema },
      },
    },
    ({ query, params, body }) => operations.undoMerge(query, params.id, body),
  );
}
