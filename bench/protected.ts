/** The database under protection: a real base in a repository, and where asked a journal after it. */
import fs from 'node:fs';
import path from 'node:path';
import { quietLogger, Secret, silent } from '#base';
import { captureStore, openJournalShipping } from '#capture';
import { type CaptureRecord, createRepository, openStorage, type Repository } from '#repository';
import { findSource, type SourceContext } from '#sources';
import { type TestServer, until } from '../src/sources/postgres/test-server.ts';
import { PASSWORD } from './peers.ts';

export const ADDRESS = { environment: 'bench', stage: 'production', store: 'database' };

export type Protected = {
  base: CaptureRecord;
  /** Bytes of journal between the base and `atLsn`. */
  journalBytes: number;
  /** Behind `load`; the end of the base where there was none. */
  atLsn: bigint;
};

/** `load` runs while the journal streams; all of it is shipped. Nothing of Holdfast stays behind on the server. */
export async function protect(
  server: TestServer,
  location: string,
  folder: string,
  load?: () => Promise<void>,
): Promise<Protected> {
  const storage = await openStorage(location);
  const repository = await createRepository({ storage, password: new Secret(PASSWORD) });
  try {
    return await protectInto(repository, server, folder, load);
  } finally {
    await repository.close();
  }
}

async function protectInto(
  repository: Repository,
  server: TestServer,
  folder: string,
  load: (() => Promise<void>) | undefined,
): Promise<Protected> {
  const source = findSource('postgres');
  if (!source?.journal) throw new Error('the source of Postgres is missing');
  const stop = new AbortController();
  const stateFolder = fs.mkdtempSync(path.join(folder, 'state-'));
  const context: SourceContext = {
    ...{ log: quietLogger, progress: silent },
    ...{ signal: stop.signal, stateFolder },
  };
  const store = {
    ...{ name: ADDRESS.store, environment: ADDRESS.environment, stage: ADDRESS.stage },
    rpoMs: 5_000,
    protect: { kind: 'continuous' as const },
    own: source.schema.parse({ url: server.url() }) as Record<string, unknown>,
  };
  const shipping = await openJournalShipping({
    ...{ repository, address: ADDRESS, source: 'postgres', log: quietLogger },
    spoolFolder: path.join(stateFolder, 'spool'),
  });
  const journal = source.journal(store, context);
  const streaming = journal
    .stream(shipping, () => {})
    .catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
  const base = await captureStore({ repository, source, store, context });
  await load?.();
  const end = await position(server);
  await until(async () => (shipping.status().shipped?.offset ?? 0n) >= end, 'the journal');
  stop.abort(new Error('left'));
  await streaming;
  await shipping.close();
  await journal.dispose();
  fs.rmSync(stateFolder, { recursive: true });
  const atLsn = load ? end : base.end.offset;
  return { base, atLsn, journalBytes: Number(atLsn - base.end.offset) };
}

/** Where its journal ends now. */
export async function position(server: TestServer): Promise<bigint> {
  const [row] = await server.sql("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn as at");
  return BigInt(String(row?.at));
}
