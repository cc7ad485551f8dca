/** Errors as HTTP: the status by the kind, the body for programs and people, never a stack. */
import type { FastifyError, FastifyInstance } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type ErrorKind, HoldfastError, type Logger, messageOf } from '#base';
import { errors } from './errors.ts';

export const failureSchema = z
  .object({
    error: z.object({
      code: z.string(),
      kind: z.enum([
        'failed',
        'invalid',
        'partial',
        'refused',
        'not-found',
        'verdict',
        'interrupted',
      ]),
      message: z.string(),
      guidance: z.string(),
      retryable: z.boolean(),
      where: z.string().optional(),
      facts: z.record(z.string(), z.unknown()).optional(),
    }),
  })
  .meta({ id: 'Failure', description: 'What was wrong, where, and what to do.' });

const STATUS_BY_KIND: Record<ErrorKind, number> = {
  failed: 500,
  invalid: 400,
  partial: 500,
  refused: 403,
  'not-found': 404,
  verdict: 409,
  interrupted: 503,
};

export function statusOf(error: HoldfastError): number {
  return error.code === 'server/unauthorized' ? 401 : STATUS_BY_KIND[error.kind];
}

export function failureBody(error: HoldfastError): z.infer<typeof failureSchema> {
  return {
    error: {
      code: error.code,
      kind: error.kind,
      message: error.message,
      guidance: error.guidance,
      retryable: error.retryable,
      ...(error.where === undefined ? {} : { where: error.where }),
      ...(Object.keys(error.facts).length === 0 ? {} : { facts: error.facts }),
    },
  };
}

export function answerFailures(server: FastifyInstance, log: Logger): void {
  server.setErrorHandler((thrown: unknown, request, reply) => {
    const error = asHoldfastError(thrown);
    if (error.code === 'server/unexpected') {
      log.error(
        { route: request.routeOptions.url, stack: (thrown as Error)?.stack },
        messageOf(thrown),
      );
    }
    return reply.status(statusOf(error)).send(failureBody(error));
  });
  server.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const error = errors.noSuchRoute([request.method, path.slice(0, 200)]);
    return reply.status(statusOf(error)).send(failureBody(error));
  });
}

function asHoldfastError(thrown: unknown): HoldfastError {
  if (thrown instanceof HoldfastError) return thrown;
  if (hasZodFastifySchemaValidationErrors(thrown)) {
    const problems = thrown.validation.map((one) => `${one.instancePath || '/'}: ${one.message}`);
    return errors.invalidRequest([problems.join('; ')]);
  }
  const { statusCode, code } = thrown as Partial<FastifyError>;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return errors.tooLarge([]);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return errors.invalidRequest([messageOf(thrown)]);
  }
  return errors.unexpected([], { cause: thrown });
}
