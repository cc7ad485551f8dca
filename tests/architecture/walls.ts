/** The walls of the house, as data. ARCHITECTURE.md draws the same table. */

/** What a layer may import besides itself and base. */
export const WALLS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  repository: [],
  sources: [],
  capture: ['repository', 'sources'],
  recovery: ['repository', 'sources'],
  environment: ['sources'],
  catalog: [],
  governance: ['catalog'],
  playbooks: [
    ...['environment', 'capture', 'recovery', 'repository'],
    ...['sources', 'catalog', 'governance'],
  ],
  watch: ['environment', 'repository', 'catalog', 'governance', 'playbooks'],
  server: ['environment', 'playbooks', 'watch', 'governance', 'catalog'],
  cli: ['capture', 'recovery', 'repository', 'environment', 'sources', 'app'],
  app: [
    ...['repository', 'sources', 'capture', 'recovery', 'environment', 'catalog'],
    ...['governance', 'playbooks', 'watch', 'server'],
  ],
};

/** Packages that speak to one system or serve one purpose: only the named folders may import them. */
export const ADAPTERS: Readonly<Record<string, readonly string[]>> = {
  koffi: ['src/base/posix', 'src/sources/files'],
  'sodium-native': ['src/repository'],
  '@dbos-inc/dbos-sdk': ['src/app'],
  fastify: ['src/server', 'src/app'],
  pg: [
    ...['src/sources/postgres', 'src/catalog', 'src/environment/checks', 'src/app'],
    'src/recovery/checks',
  ],
  '@aws-sdk/client-s3': ['src/repository/storage/s3'],
  '@smithy/node-http-handler': ['src/repository/storage/s3'],
  commander: ['src/cli'],
  pino: ['src/base', 'src/app'],
  yaml: ['src/environment'],
};

/** Layers that a lost control plane must not take along: no catalog, no server below them. */
export const DATA_PLANE = ['base', 'repository', 'sources', 'capture', 'recovery'] as const;

export const FORBIDDEN_NAMES = /^(utils?|helpers?|common|lib|manager|interfaces?)(\.ts)?$/;
