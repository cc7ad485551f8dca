/** One capture of a folder: hooks around a walk. */
import { promises as fs } from 'node:fs';
import { isHoldfastError, systemClock, systemCode } from '#base';
import { errors } from '../errors.ts';
import type {
  Capture,
  CaptureEvent,
  CaptureOptions,
  CaptureOutcome,
  SourceContext,
  StoreSettings,
} from '../source.ts';
import type { FilesSettings } from './config.ts';
import { compileExclusion } from './exclusion.ts';
import { runHook } from './hooks.ts';
import { encodeRoot } from './root-metadata.ts';
import { describeFailure, walkTree } from './walk.ts';

const NS_PER_MS = 1_000_000n;

type Instants = { startMs: number; endMs: number };

/**
 * Runs the before hook and gives a capture whose events read the folder (or the path of the hooks).
 * The contents are read by whoever takes the events, so the after hook runs at `close`, also after a failure; where it
 * fails, the first `close` rejects with `sources/after-hook-failed` (kind `partial`): the capture itself is good.
 */
export async function captureFiles(
  store: StoreSettings<FilesSettings>,
  options: CaptureOptions,
  context: SourceContext,
): Promise<Capture> {
  const { path, hooks } = store.own;
  const closeHooks = afterHookOnce(store);
  const instants: Instants = { startMs: systemClock.nowMs(), endMs: 0 };
  try {
    if (hooks) {
      const outcome = await runHook('before', hooks, { name: store.name, path }, context.signal);
      if (!outcome.ok) throw errors.hookFailed([store.name, 'before', outcome.because]);
      instants.endMs = systemClock.nowMs();
    }
    const root = await findRoot(store.name, hooks?.path ?? path);
    return filesCapture(store, options, context, { root, instants, closeHooks });
  } catch (error) {
    // What failed first is what must be told.
    await closeHooks().catch(() => {});
    throw error;
  }
}

function filesCapture(
  store: StoreSettings<FilesSettings>,
  options: CaptureOptions,
  context: SourceContext,
  opened: { root: Buffer; instants: Instants; closeHooks: () => Promise<void> },
): Capture {
  const { path, hooks, exclude, oneFileSystem } = store.own;
  const { root, instants, closeHooks } = opened;
  const pointConsistent = hooks?.path !== undefined;
  const facts: CaptureOutcome['facts'] = { path, pointConsistent };
  async function* events(): AsyncGenerator<CaptureEvent> {
    const walk = walkTree(root, {
      signal: context.signal,
      exclusion: compileExclusion(exclude),
      oneFileSystem,
      changedDirectories: options.hasPrevious ? options.changedDirectories : undefined,
    });
    for await (const event of walk) {
      // A tree holds what is in the folder; what is known of the folder itself has no other place.
      if (event.kind === 'entry' && event.path.length === 0) {
        facts.root = encodeRoot(event.metadata);
      }
      yield event;
    }
    if (!pointConsistent) instants.endMs = systemClock.nowMs();
  }
  return {
    kind: 'files',
    root: path,
    expectedBytes: undefined,
    events,
    outcome: async () => outcomeOf(instants, facts),
    close: closeHooks,
  };
}

function outcomeOf(instants: Instants, facts: CaptureOutcome['facts']): CaptureOutcome {
  const position = (ms: number) => ({ line: 0, offset: BigInt(Math.round(ms)) * NS_PER_MS });
  return {
    start: position(instants.startMs),
    end: position(Math.max(instants.startMs, instants.endMs)),
    // The folder is read by this host: both clocks are one.
    clock: { offsetMs: 0, uncertaintyMs: 0 },
    facts,
  };
}

/** The folder itself where `path` is a symlink to it: what is captured is the folder, not the link. */
async function findRoot(store: string, path: string): Promise<Buffer> {
  try {
    const root = await fs.realpath(path, { encoding: 'buffer' });
    if (!(await fs.stat(root)).isDirectory()) throw errors.notAFolder([store, path]);
    await fs.access(root, fs.constants.R_OK | fs.constants.X_OK);
    return root;
  } catch (error) {
    if (isHoldfastError(error)) throw error;
    if (systemCode(error) === 'ENOENT') throw errors.folderMissing([store, path], { cause: error });
    throw errors.folderUnreadable([store, path, describeFailure(error)], { cause: error });
  }
}

function afterHookOnce(store: StoreSettings<FilesSettings>): () => Promise<void> {
  const { hooks, path } = store.own;
  let running: Promise<void> | undefined;
  const run = async () => {
    if (!hooks) return;
    const outcome = await runHook('after', hooks, { name: store.name, path });
    if (!outcome.ok) throw errors.afterHookFailed([store.name, outcome.because]);
  };
  return async () => {
    if (running) {
      // Told by the first call already.
      await running.catch(() => {});
      return;
    }
    running = run();
    await running;
  };
}
