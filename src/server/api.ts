/** The API as an HTTP server that isn't listening yet: routes, token, bounds, errors, OpenAPI. */
import { createHash, timingSafeEqual } from 'node:crypto';
import swagger from '@fastify/swagger';
import fastify, { type FastifyInstance } from 'fastify';
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import type { Logger, Secret } from '#base';
import { errors } from './errors.ts';
import { answerFailures } from './failures.ts';
import type { Operations } from './operations.ts';
import { captureRoutes } from './routes/captures.ts';
import { environmentRoutes } from './routes/environments.ts';
import { markRoutes } from './routes/marks.ts';
import { partRoutes } from './routes/parts.ts';
import { pointRoutes } from './routes/points.ts';
import { proofRoutes } from './routes/proofs.ts';
import { recoveryRoutes } from './routes/recoveries.ts';
import { serverRoutes } from './routes/server.ts';
import { statusRoutes } from './routes/status.ts';

type ZodServer = ReturnType<typeof withZod>;

export type Api = { server: ZodServer; operations: Operations };

export type ApiOptions = {
  operations: Operations;
  token: Secret;
  version: string;
  log: Logger;
};

const BODY_LIMIT_BYTES = 2 ** 20;

/** A new resource is one line here. */
const routes = [
  statusRoutes,
  environmentRoutes,
  captureRoutes,
  pointRoutes,
  markRoutes,
  proofRoutes,
  recoveryRoutes,
  partRoutes,
  serverRoutes,
];

export async function createApi(options: ApiOptions): Promise<FastifyInstance> {
  const plain = fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: 120_000,
    keepAliveTimeout: 5_000,
    // A shutdown doesn't wait for clients that only keep their connection.
    forceCloseConnections: 'idle',
  });
  const server = withZod(plain);
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  answerFailures(plain, options.log);
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Holdfast',
        version: options.version,
        description: 'The control plane of one or more environments.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  requireToken(plain, options.token);
  await server.register(async (scope) => {
    const api = { server: withZod(scope), operations: options.operations };
    for (const add of routes) add(api);
  });
  return plain;
}

function withZod(server: FastifyInstance) {
  return server.withTypeProvider<ZodTypeProvider>();
}

/** Before anything of a request is read. Compared as digests, in constant time, whatever the length. */
function requireToken(server: FastifyInstance, token: Secret): void {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(`Bearer ${token.reveal()}`);
  server.addHook('onRequest', async (request) => {
    const given = digest(request.headers.authorization ?? '');
    if (!timingSafeEqual(given, expected)) throw errors.unauthorized([]);
  });
}
