/** Parts of stores by a running control plane: it looks them up, shows what would change, and waits for a decision. */
import type { ExitCode, Io } from '../command.ts';
import { connect, findControlPlane, type Schemas } from '../control-plane/client.ts';
import { scopeFrom } from '../control-plane/scope.ts';
import type { paths } from '../generated/api.ts';
import type { Options } from './access.ts';
import { failureOf, progressOf } from './served.ts';

export type PartRequest = paths['/v1/parts']['post']['requestBody']['content']['application/json'];
export type ServedPart = Schemas['Part'];
export type ServedDifference =
  paths['/v1/parts/{id}/differences']['get']['responses'][200]['content']['application/json'][number];

/** A part that was looked up, which holds a copy on the server until it was decided. */
export type LookedUpPart = {
  part: ServedPart;
  differences(): AsyncGenerator<ServedDifference>;
  /** Resolves when it is done. */
  apply(): Promise<ServedPart>;
};

const WAIT_MS = 1_000;
const PAGE = 1_000;

/**
 * Undefined where no control plane runs, or the options name a repository or a place. What `work` doesn't apply is
 * discarded when it has ended, also when it was interrupted.
 */
export async function withServedPart(
  body: PartRequest,
  options: Options,
  io: Io,
  work: (looked: LookedUpPart) => Promise<ExitCode>,
): Promise<ExitCode | undefined> {
  if (options.repo !== undefined || options.target !== undefined) return undefined;
  const address = await findControlPlane();
  if (!address) return undefined;
  const { ask, client } = connect(address);
  const given = { params: { query: scopeFrom(options) }, body, signal: io.signal };
  let part = await ask(client.POST('/v1/parts', given));
  const path = { id: part.id };
  const settled = async () => {
    while (part.state === 'working' || part.state === 'applying') {
      const params = { path, query: { waitMs: WAIT_MS } };
      part = await ask(client.GET('/v1/parts/{id}', { params, signal: io.signal }));
      if (part.progress) io.progress(progressOf(part.progress));
    }
    if (part.failure) throw failureOf(part.failure);
    return part;
  };
  try {
    await settled();
    return await work({
      part,
      async *differences() {
        for (let from = 0; from < (part.differences ?? 0); from += PAGE) {
          const params = { path, query: { from, limit: PAGE } };
          yield* await ask(client.GET('/v1/parts/{id}/differences', { params, signal: io.signal }));
        }
      },
      async apply() {
        part = await ask(client.POST('/v1/parts/{id}/apply', { params: { path } }));
        return await settled();
      },
    });
  } finally {
    if (part.state === 'working' || part.state === 'previewed') {
      // What is told is why it ended, and not that a server went away which discards it by itself.
      await ask(client.POST('/v1/parts/{id}/discard', { params: { path } })).catch(() => {});
    }
  }
}

/** Undefined where no control plane runs, or the options name a repository or a place. */
export async function undoServed(
  id: string,
  request: { store?: string; database?: string; productionUrl?: string },
  options: Options,
  io: Io,
): Promise<Schemas['UndoneMerge'] | undefined> {
  if (options.repo !== undefined || options.target !== undefined) return undefined;
  const address = await findControlPlane();
  if (!address) return undefined;
  const { ask, client } = connect(address);
  const params = { path: { id }, query: scopeFrom(options) };
  return await ask(
    client.POST('/v1/merges/{id}/undo', { params, body: request, signal: io.signal }),
  );
}
