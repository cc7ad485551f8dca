import { z } from 'zod';
import type { Api } from '../api.ts';
import { failureSchema } from '../failures.ts';
import { instantSchema } from './values.ts';

export const serverSchema = z
  .object({
    version: z.string(),
    pid: z.number(),
    startedAtMs: instantSchema,
    stateFolder: z.string(),
    /** Stable name of this control plane and its owner epoch. */
    controlPlane: z.string(),
    epoch: z.string(),
    /** Another control plane leads on the same catalog; this one takes over when that one ends. */
    standsBy: z.string().optional(),
  })
  .meta({ id: 'Server' });

export const shutdownRequestSchema = z.object({
  /** Also removes what was put into the databases for Holdfast (replication slots). */
  dropSlots: z.boolean().default(false),
});

export type ServerSummary = z.infer<typeof serverSchema>;
export type ShutdownRequest = z.infer<typeof shutdownRequestSchema>;

export function serverRoutes({ server, operations }: Api): void {
  server.get(
    '/v1/server',
    {
      schema: {
        operationId: 'getServer',
        summary: 'This control plane itself',
        response: { 200: serverSchema, default: failureSchema },
      },
    },
    () => operations.server(),
  );
  server.post(
    '/v1/shutdown',
    {
      schema: {
        operationId: 'shutdown',
        summary: 'Stop protecting and end this server',
        body: shutdownRequestSchema,
        response: { 202: z.object({ stopping: z.literal(true) }), default: failureSchema },
      },
    },
    async (request, reply) => {
      await operations.shutdown(request.body);
      return reply.status(202).send({ stopping: true });
    },
  );
}
