/**
 * A small production for tests: a Postgres with a table of numbered rows and a folder of files, captured into a
 * repository by the data plane alone. No server of Holdfast's runs.
 */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { quietLogger, Secret, silent } from '#base';
import { captureStore, openJournalShipping } from '#capture';
import { createRepository, openStorage, type Repository } from '#repository';
import { findSource, type SourceContext, type StoreSettings } from '#sources';
import type { S3TestUser } from '../../../src/repository/storage/s3/test-server.ts';
import { startTestServer, type TestServer } from '../../../src/sources/postgres/test-server.ts';
import type { Place } from './command.ts';

export type ProtectedSite = {
  folder: string;
  server: TestServer;
  uploads: string;
  repository: Repository;
  environment: Record<string, string>;
  /** Where a command finds the declaration, and no control plane. */
  place: Place;
  /** Captures the files now. */
  captureFiles(): Promise<void>;
  /** Resolves when the repository holds the journal up to what the server has written now. */
  shipped(): Promise<void>;
  /** Ends shipping and drops the slot: Holdfast is gone, only the repository remains. */
  leave(): Promise<void>;
  remove(): Promise<void>;
};

const PASSWORD = 'end-to-end';

export type SiteOptions = {
  settings?: Record<string, string>;
  /** A bucket; by default a folder of the site. */
  bucket?: { url: string; user: S3TestUser; locked?: boolean };
  /** Called before the first capture. */
  prepare?(site: { server: TestServer; folder: string }): Promise<void>;
  /** Put at the end of the declaration. */
  declared?: string;
};

function yamlOf(site: { folder: string; uploads: string; declaredRepository: string }): string {
  return `# yaml-language-server: $schema=./holdfast.schema.json
apiVersion: holdfast/v1
name: site
stage: production
repository: {${site.declaredRepository}, password: "\${SITE_PASSWORD}"}
objectives: {rpo: 5s, rto: 2m}
consistency: {leader: numbers, skew: 1h}
stores:
  numbers:
    type: postgres
    url: \${NUMBERS_URL}
    protect: continuous
    control: {stop: "true", start: "true"}
  uploads:
    type: files
    path: ${site.uploads}
    protect: continuous
checks:
  dense:
    sql: numbers
    query: "select 1 from (select count(*) c, max(n) m from numbers) t where c <> m"
    expect: empty
`;
}

export async function openProtectedSite(
  major: 15 | 18,
  options: SiteOptions = {},
): Promise<ProtectedSite> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast-site-'));
  await fs.chmod(folder, 0o755);
  const uploads = path.join(folder, 'uploads');
  await fs.mkdir(uploads);
  const server = await startTestServer({
    major,
    initdbArguments: ['--data-checksums'],
    settings: options.settings ?? {},
  });
  await server.sql('create table numbers (n int primary key)');
  await options.prepare?.({ server, folder });
  const where = repositoryOf(folder, options.bucket);
  const storage = await openStorage(where.url, where.options);
  const repository = await createRepository({ storage, password: new Secret(PASSWORD) });
  await fs.writeFile(
    path.join(folder, 'holdfast.yaml'),
    yamlOf({ folder, uploads, declaredRepository: where.declared }) + (options.declared ?? ''),
  );

  const settings = (name: string, own: Record<string, unknown>): StoreSettings => ({
    name,
    environment: 'site',
    stage: 'production',
    rpoMs: 5_000,
    protect: { kind: 'continuous' },
    own,
  });
  const stop = new AbortController();
  const context = (store: string): SourceContext => ({
    log: quietLogger,
    progress: silent,
    signal: stop.signal,
    stateFolder: path.join(folder, 'state', store),
  });
  const postgres = findSource('postgres');
  const files = findSource('files');
  if (!postgres?.journal || !files) throw new Error('sources are missing');
  const own = postgres.schema.parse({ url: server.url() }) as Record<string, unknown>;
  const numbers = settings('numbers', own);
  const uploaded = settings(
    'uploads',
    files.schema.parse({ path: uploads }) as Record<string, unknown>,
  );
  const address = { environment: 'site', stage: 'production', store: 'numbers' };
  await fs.mkdir(path.join(folder, 'state', 'numbers'), { recursive: true });
  const shipping = await openJournalShipping({
    repository,
    address,
    spoolFolder: path.join(folder, 'state', 'numbers', 'spool'),
    source: 'postgres',
    log: quietLogger,
  });
  const journal = postgres.journal(numbers, context('numbers'));
  const streaming = journal
    .stream(shipping, () => {})
    .catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
  await captureStore({ repository, source: postgres, store: numbers, context: context('numbers') });

  const captureFiles = async () => {
    await captureStore({ repository, source: files, store: uploaded, context: context('uploads') });
  };
  await captureFiles();
  const environment = { SITE_PASSWORD: PASSWORD, NUMBERS_URL: server.url(), ...where.environment };
  return {
    folder,
    server,
    uploads,
    repository,
    environment,
    place: {
      cwd: folder,
      env: { ...environment, HOLDFAST_STATE: path.join(folder, 'none') },
    },
    captureFiles,
    async shipped() {
      const [row] = await server.sql("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn as at");
      const at = BigInt(String(row?.at));
      await waitFor(async () => {
        return (shipping.status().shipped?.offset ?? 0n) >= at;
      }, `the journal to be shipped up to ${at}`);
    },
    async leave() {
      stop.abort(new Error('left'));
      await streaming;
      await shipping.close();
      await journal.dispose();
    },
    async remove() {
      stop.abort(new Error('left'));
      await streaming;
      await repository.close();
      await server.remove();
      await fs.rm(folder, { recursive: true, force: true });
    },
  };
}

type Where = {
  url: string;
  options: Parameters<typeof openStorage>[1];
  /** As holdfast.yaml has it. */
  declared: string;
  environment: Record<string, string>;
};

function repositoryOf(folder: string, bucket: SiteOptions['bucket']): Where {
  const url = bucket?.url ?? path.join(folder, 'repository');
  if (!bucket) return { url, options: {}, declared: `url: ${url}`, environment: {} };
  const { accessKeyId, secretAccessKey } = bucket.user;
  const lock = bucket.locked && ({ mode: 'compliance', days: 1 } as const);
  const credentials = { accessKeyId, secretAccessKey: new Secret(secretAccessKey) };
  const declared = '{accessKeyId: "${SITE_KEY}", secretAccessKey: "${SITE_SECRET}"}';
  return {
    ...{ url, options: { s3: { credentials, ...(lock && { lock }) } } },
    declared: `url: "${url}", s3: {credentials: ${declared}}${lock ? ', lock: {for: 1d, mode: compliance}' : ''}`,
    environment: { SITE_KEY: accessKeyId, SITE_SECRET: secretAccessKey },
  };
}

const DEADLINE_MS = 60_000;

export async function waitFor(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export type CommandResult = { code: number; stdout: string; stderr: string; json: unknown };

const program = path.resolve(import.meta.dirname, '../../../bin/holdfast');

/** Runs `holdfast … --json` in a folder, with these variables besides the machine's. */
export function holdfast(
  cwd: string,
  words: readonly string[],
  env: Record<string, string>,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(
      program,
      [...words, '--json'],
      { cwd, env: { ...process.env, ...env }, encoding: 'utf8', maxBuffer: 1 << 26 },
      (error, stdout, stderr) => {
        const code = typeof error?.code === 'number' ? error.code : error ? 1 : 0;
        const line = stdout.trim().split('\n').at(-1) ?? '';
        resolve({
          code,
          stdout,
          stderr,
          json: line.startsWith('{') ? JSON.parse(line) : undefined,
        });
      },
    );
  });
}
