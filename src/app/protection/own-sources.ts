/**
 * What Holdfast captures of its own with every environment: its declaration and infrastructure files, and the catalog.
 * Both go through the same capture as stores do.
 */
import fs from 'node:fs/promises';
import { z } from 'zod';
import { type FileMetadata, madeMetadata, systemClock } from '#base';
import type { Environment } from '#environment';
import {
  type Capture,
  type CaptureEvent,
  type CaptureOutcome,
  type Source,
  type StoreSettings,
  walkTree,
} from '#sources';

/** Names that no declared store can have: they begin with the product's. */
export const INFRASTRUCTURE_STORE = 'holdfast-infrastructure';
export const CATALOG_STORE = 'holdfast-catalog';

export function ownSettings(
  environment: { name: string; stage: string },
  store: string,
): StoreSettings {
  return {
    name: store,
    environment: environment.name,
    stage: environment.stage,
    rpoMs: 0,
    protect: { kind: 'continuous' },
    own: {},
  };
}

/** `declared/` holds the texts of holdfast.yaml and its overlay, `imports/` what they import, by absolute path. */
export function infrastructureSource(environment: Environment): Source {
  return ownSource('infrastructure', `/${INFRASTRUCTURE_STORE}`, async function* (signal) {
    for (const { path, text } of environment.texts) {
      yield textEntry(`declared/${path.split('/').at(-1)}`, Buffer.from(text));
    }
    for (const absolute of environment.imports) {
      yield* importedFiles(absolute, signal);
    }
  });
}

async function* importedFiles(absolute: string, signal: AbortSignal): AsyncGenerator<CaptureEvent> {
  const prefix = `imports${absolute}`;
  const there = await fs.access(absolute).then(
    () => true,
    () => false,
  );
  if (!there) {
    yield { kind: 'problem', path: Buffer.from(prefix), what: 'is not there' };
    return;
  }
  for await (const event of walkTree(Buffer.from(absolute), { signal })) {
    const below = event.path.length === 0 ? '' : `/${event.path.toString('latin1')}`;
    const path = Buffer.concat([Buffer.from(prefix), Buffer.from(below, 'latin1')]);
    yield { ...event, path };
  }
}

/** `dump` gives the catalog's rows of this environment. */
export function catalogSource(dump: () => AsyncIterable<Buffer>): Source {
  return ownSource('catalog', `/${CATALOG_STORE}`, async function* () {
    yield {
      kind: 'entry',
      path: Buffer.from('catalog.jsonl'),
      metadata: ownMetadata('file', 0o600),
      content: { from: 'stream', bytes: dump(), chunkSizeBytes: 0 },
    };
  });
}

function textEntry(path: string, bytes: Buffer): CaptureEvent {
  return {
    kind: 'entry',
    path: Buffer.from(path),
    metadata: { ...ownMetadata('file', 0o600), sizeBytes: BigInt(bytes.length) },
    content: {
      from: 'stream',
      chunkSizeBytes: 0,
      bytes: (async function* () {
        yield bytes;
      })(),
    },
  };
}

function ownSource(
  type: string,
  root: string,
  events: (signal: AbortSignal) => AsyncGenerator<CaptureEvent>,
): Source {
  return {
    type,
    schema: z.strictObject({}),
    inspect: async () => ({ method: 'own', reachable: true, findings: [], facts: {} }),
    capture: async (_store, _options, context) => ownCapture(root, events(context.signal)),
    recover: async (request) => ({ url: request.directory, facts: {} }),
  };
}

function ownCapture(root: string, events: AsyncGenerator<CaptureEvent>): Capture {
  const start = nanosecond();
  return {
    kind: 'files',
    root,
    expectedBytes: undefined,
    async *events() {
      yield {
        kind: 'entry',
        path: Buffer.alloc(0),
        metadata: ownMetadata('dir', 0o700),
        content: { from: 'nothing' },
      };
      yield* events;
    },
    outcome: async (): Promise<CaptureOutcome> => ({
      start: { line: 0, offset: start },
      end: { line: 0, offset: nanosecond() },
      clock: { offsetMs: 0, uncertaintyMs: 0 },
      facts: {},
    }),
    async close() {},
  };
}

const nanosecond = () => BigInt(Math.round(systemClock.nowMs() * 1000)) * 1000n;

function ownMetadata(kind: 'file' | 'dir', permissions: number): FileMetadata {
  return madeMetadata(kind, permissions, nanosecond());
}
