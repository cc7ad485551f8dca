import { z } from 'zod';
import type { Api } from '../api.ts';
import { failureSchema } from '../failures.ts';
import { instantSchema, nameSchema } from './values.ts';

export const applyRequestSchema = z.object({
  /** Absolute path of holdfast.yaml on the server's host. */
  file: z.string().min(1).max(4096),
  stage: nameSchema.optional(),
  /** Become the owner of a repository whose control plane is lost for good. */
  takeOver: z.boolean().default(false),
});

export const appliedSchema = z
  .object({
    environment: nameSchema,
    stage: nameSchema,
    stores: z.array(
      z.object({
        name: nameSchema,
        change: z.enum(['added', 'changed', 'unchanged', 'removed', 'excluded']),
      }),
    ),
  })
  .meta({ id: 'Applied' });

export const environmentSchema = z
  .object({
    environment: nameSchema,
    stage: nameSchema,
    file: z.string(),
    appliedAtMs: instantSchema,
    state: z.enum(['starting', 'protected', 'trouble']),
    /** Why it isn't protected at the moment. */
    trouble: z.string().optional(),
  })
  .meta({ id: 'Environment' });

export type ApplyRequest = z.infer<typeof applyRequestSchema>;
export type Applied = z.infer<typeof appliedSchema>;
export type EnvironmentSummary = z.infer<typeof environmentSchema>;

export function environmentRoutes({ server, operations }: Api): void {
  server.get(
    '/v1/environments',
    {
      schema: {
        operationId: 'listEnvironments',
        summary: 'The environments that this server protects',
        response: { 200: z.array(environmentSchema), default: failureSchema },
      },
    },
    () => operations.environments(),
  );
  server.post(
    '/v1/environments',
    {
      schema: {
        operationId: 'apply',
        summary: 'Protect what a holdfast.yaml declares; again after every change of it',
        body: applyRequestSchema,
        response: { 200: appliedSchema, default: failureSchema },
      },
    },
    (request) => operations.apply(request.body),
  );
}
