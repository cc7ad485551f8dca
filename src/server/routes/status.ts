import { z } from 'zod';
import type { Api } from '../api.ts';
import { failureSchema } from '../failures.ts';
import { proofVerdictSchema } from './proofs.ts';
import {
  instantSchema,
  nameSchema,
  positionSchema,
  progressSchema,
  scopeSchema,
} from './values.ts';

const verdict = z.enum(['met', 'missed', 'unknown', 'excluded']).meta({
  description: 'The objective of this store. No data is `unknown`, never `met`.',
});

const journal = z.object({
  state: z.enum(['connecting', 'streaming', 'waiting', 'needs-base', 'stopped']),
  because: z.string().optional(),
  /** End of what is fsynced on this host. */
  synced: positionSchema.optional(),
  /** End of what is in the repository. */
  shipped: positionSchema.optional(),
  spoolBytes: z.number(),
});

export const storeStatusSchema = z
  .object({
    name: nameSchema,
    source: z.string(),
    protect: z.string(),
    verdict,
    /** In plain words: why the objective is missed, or what limits it. */
    says: z.string().optional(),
    rpoMs: z.number().optional(),
    /** How much would be lost if this store were lost now. */
    lagMs: z.number().optional(),
    /** Of a watched store: nothing has changed from its newest capture until here. */
    unchangedThroughMs: instantSchema.optional(),
    /** The earliest instant that can be recovered. */
    recoverableSinceMs: instantSchema.optional(),
    /** Spans in which any second can be recovered, oldest first. */
    windows: z.array(z.object({ fromMs: instantSchema, toMs: instantSchema })),
    gaps: z.array(
      z.object({ fromMs: instantSchema, toMs: instantSchema.optional(), because: z.string() }),
    ),
    captures: z.number(),
    lastCapture: z
      .object({
        id: z.string(),
        kind: z.string(),
        atMs: instantSchema,
        problems: z.number(),
        /** The capture that it was made of together with the journal, without asking the store. */
        madeOf: z.string().optional(),
      })
      .optional(),
    /** Bytes of the store as last captured, and bytes that it takes in the repository. */
    sizeBytes: z.number().optional(),
    storedBytes: z.number().optional(),
    journal: journal.optional(),
    running: progressSchema.optional(),
  })
  .meta({ id: 'StoreStatus' });

const failing = z.object({ sinceMs: instantSchema, what: z.string() }).optional();

export const maintenanceSchema = z
  .object({
    check: z.object({
      /** Of the last check; `unknown` before there was one. */
      verdict: z.enum(['pass', 'fail', 'unknown']),
      atMs: instantSchema.optional(),
      problems: z
        .array(z.object({ kind: z.string(), id: z.string(), what: z.string() }))
        .optional(),
      problemCount: z.number().optional(),
      /** Damage that parity or a second copy brought back. */
      mended: z.array(z.object({ name: z.string(), what: z.string() })).optional(),
      mendedCount: z.number().optional(),
      /** Files of snapshots that can't come back whole. */
      affected: z
        .array(z.object({ snapshot: z.string(), path: z.string(), because: z.string() }))
        .optional(),
      affectedCount: z.number().optional(),
      /** Read by the last check; of all bytes, how many were read within the period. */
      readBytes: z.number().optional(),
      totalBytes: z.number().optional(),
      freshBytes: z.number().optional(),
      overdue: z.number().optional(),
      periodMs: z.number().optional(),
      /** It couldn't be run since then. */
      failing,
    }),
    prune: z.object({
      atMs: instantSchema.optional(),
      packsRemoved: z.number().optional(),
      /** When what is marked goes. */
      nextSweepMs: instantSchema.optional(),
      /** Somebody else holds the repository each time. */
      blocked: z.object({ sinceMs: instantSchema, by: z.string() }).optional(),
      failing,
    }),
    retention: z.object({ atMs: instantSchema.optional(), failing }),
    /** What a person must know, in plain words; the loudest first. */
    findings: z.array(z.string()),
  })
  .meta({ id: 'MaintenanceStatus' });

export const proofStatusSchema = z
  .object({
    /** Of the last proof; `unknown` before there was one. */
    verdict: proofVerdictSchema,
    atMs: instantSchema.optional(),
    /** The last time that one passed, and the instant that was brought up then. */
    provenAtMs: instantSchema.optional(),
    provenInstantMs: instantSchema.optional(),
    /** The first check of the last proof that didn't pass, and what was seen. */
    failedBy: z.string().optional(),
    failedWhat: z.string().optional(),
    /** How old the last proof that passed may be. */
    periodMs: z.number(),
    /** Why none is made just now: `none` is declared, the budget, something else goes on. */
    waitsFor: z.string().optional(),
    running: z.string().optional(),
    /** What a person must know, in plain words; the loudest first. */
    findings: z.array(z.string()),
  })
  .meta({ id: 'ProofStatus' });

export const statusSchema = z
  .object({
    environment: nameSchema,
    stage: nameSchema,
    atMs: instantSchema,
    repository: z.string(),
    /** What keeps the whole environment from being protected: a file that can't be read, a repository that's gone. */
    trouble: z.string().optional(),
    stores: z.array(storeStatusSchema),
    missed: z.number(),
    unknown: z.number(),
    points: z.number(),
    catalogCapturedAtMs: instantSchema.optional(),
    /** Of the repository; absent while it isn't open. */
    maintenance: maintenanceSchema.optional(),
    /** Absent while the repository isn't open. */
    proofs: proofStatusSchema.optional(),
  })
  .meta({ id: 'Status' });

export type StoreStatus = z.infer<typeof storeStatusSchema>;
export type ProofStatus = z.infer<typeof proofStatusSchema>;
export type MaintenanceStatus = z.infer<typeof maintenanceSchema>;
export type Status = z.infer<typeof statusSchema>;

export function statusRoutes({ server, operations }: Api): void {
  server.get(
    '/v1/status',
    {
      schema: {
        operationId: 'status',
        summary: 'What is protected, how far back, and which objectives are missed',
        querystring: scopeSchema,
        response: { 200: statusSchema, default: failureSchema },
      },
    },
    (request) => operations.status(request.query),
  );
}
