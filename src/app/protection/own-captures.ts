/** Captures of what is Holdfast's own: infrastructure files with recovery points, the catalog when it has changed. */

import { createHash } from 'node:crypto';
import path from 'node:path';
import { silent } from '#base';
import { captureStore } from '#capture';
import { digestTables, dumpTables } from '#catalog';
import { type CaptureRecord, newestCapture } from '#repository';
import type { Source } from '#sources';
import type { ProtectionContext } from './context.ts';
import {
  CATALOG_STORE,
  catalogSource,
  INFRASTRUCTURE_STORE,
  infrastructureSource,
  ownSettings,
} from './own-sources.ts';

/** The newest capture if nothing has changed since, else a new one. */
export async function captureInfrastructure(
  context: ProtectionContext,
  signal: AbortSignal,
): Promise<CaptureRecord> {
  const source = infrastructureSource(context.environment);
  const previous = await newestOf(context, INFRASTRUCTURE_STORE, 'infrastructure');
  const digest = await digestOf(context, source, signal);
  if (previous && previous.facts.digest === digest) return previous;
  return captureOwn(
    context,
    { ...source, capture: withFacts(source, { digest }) },
    {
      store: INFRASTRUCTURE_STORE,
      kind: 'infrastructure',
      previous,
      signal,
    },
  );
}

/**
 * Undefined where the catalog holds nothing new. Neither this capture nor the journal's pieces are noted there, so that
 * the catalog's own protection never gives it something to protect.
 */
export async function captureCatalog(
  context: ProtectionContext,
  signal: AbortSignal,
): Promise<CaptureRecord | undefined> {
  const scope = { environment: context.environment.name, stage: context.environment.stage };
  const { pool } = context.catalog;
  const previous = await newestOf(context, CATALOG_STORE, 'catalog');
  const digest = await digestTables(pool, scope);
  if (previous && previous.facts.digest === digest) return undefined;
  const source = catalogSource(() => dumpTables(pool, scope));
  return captureOwn(
    context,
    { ...source, capture: withFacts(source, { digest }) },
    {
      store: CATALOG_STORE,
      kind: 'catalog',
      previous: undefined,
      signal,
    },
  );
}

function newestOf(context: ProtectionContext, store: string, kind: CaptureRecord['kind']) {
  const { name, stage } = context.environment;
  return newestCapture(context.repository, { environment: name, stage, store }, [kind]);
}

/** Names, sizes and times of all files: what has changed without them changing isn't a file of infrastructure. */
async function digestOf(
  context: ProtectionContext,
  source: Source,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256');
  const settings = ownSettings(context.environment, INFRASTRUCTURE_STORE);
  const capture = await source.capture(
    settings,
    { hasPrevious: false },
    sourceContext(context, settings.name, signal),
  );
  for await (const event of capture.events()) {
    if (event.kind !== 'entry') continue;
    hash.update(event.path).update('\0');
    if (event.content.from === 'stream') {
      for await (const bytes of event.content.bytes) hash.update(bytes);
    } else if (event.content.from === 'path') {
      const { sizeBytes, mtimeNs, ctimeNs, inode } = event.metadata;
      hash.update(`${sizeBytes} ${mtimeNs} ${ctimeNs} ${inode}`);
    }
    hash.update('\n');
  }
  await capture.close();
  return hash.digest('hex');
}

function withFacts(source: Source, facts: Record<string, unknown>): Source['capture'] {
  return async (...given) => {
    const capture = await source.capture(...given);
    return {
      ...capture,
      outcome: async () => ({ ...(await capture.outcome()), facts }),
    };
  };
}

type Own = {
  store: string;
  kind: 'infrastructure' | 'catalog';
  previous: CaptureRecord | undefined;
  signal: AbortSignal;
};

function captureOwn(context: ProtectionContext, source: Source, own: Own): Promise<CaptureRecord> {
  const { previous } = own;
  return captureStore({
    repository: context.repository,
    source,
    store: ownSettings(context.environment, own.store),
    context: sourceContext(context, own.store, own.signal),
    kind: own.kind,
    ...(previous === undefined ? {} : { previous }),
  });
}

function sourceContext(context: ProtectionContext, store: string, signal: AbortSignal) {
  return {
    log: context.log.child({ store }),
    progress: silent,
    signal,
    stateFolder: path.join(context.folder, store),
  };
}
