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
import { describeFailure, walkTree } from './walk.ts';
import { walkFolders } from './walk-folders.ts';

const NS_PER_MS = 1_000_000n;

type Instants = { startMs: number; endMs: number };

/**
 * Runs the before hook and gives a capture whose events read the folder (or the path of the hooks). The contents are
 * read by whoever takes the events, so the after hook runs at `outcome`, or at `close` where it didn't come so far.
 * Throws `sources/hook-failed`, `sources/folder-missing`, `sources/not-a-folder`, `sources/folder-unreadable`.
 */
export async function captureFiles(
  store: StoreSettings<FilesSettings>,
  options: CaptureOptions,
  context: SourceContext,
): Promise<Capture> {
  const { path, hooks } = store.own;
  const instants: Instants = { startMs: systemClock.nowMs(), endMs: 0 };
  const hookEnd = endOfHooks(store, context);
  try {
    if (hooks) {
      const outcome = await runHook('before', hooks, { name: store.name, path }, context.signal);
      if (!outcome.ok) throw errors.hookFailed([store.name, 'before', outcome.because]);
      instants.endMs = systemClock.nowMs();
    }
    const root = await findRoot(store.name, hooks?.path ?? path);
    return filesCapture(store, options, context, { root, instants, hookEnd });
  } catch (error) {
    await hookEnd.close();
    throw error;
  }
}

function filesCapture(
  store: StoreSettings<FilesSettings>,
  options: CaptureOptions,
  context: SourceContext,
  opened: { root: Buffer; instants: Instants; hookEnd: HookEnd },
): Capture {
  const { path, hooks, exclude, oneFileSystem } = store.own;
  const { root, instants, hookEnd } = opened;
  const pointConsistent = hooks?.path !== undefined;
  async function* events(): AsyncGenerator<CaptureEvent> {
    const walk = options.takesFolders ? walkFolders : walkTree;
    yield* walk(root, {
      signal: context.signal,
      exclusion: compileExclusion(exclude),
      oneFileSystem,
      changedDirectories: options.hasPrevious ? options.changedDirectories : undefined,
    });
    if (!pointConsistent) instants.endMs = systemClock.nowMs();
  }
  return {
    kind: 'files',
    root: path,
    expectedBytes: undefined,
    events,
    outcome: async () => {
      const problem = await hookEnd.run();
      const outcome = outcomeOf(instants, { path, pointConsistent });
      return problem === undefined ? outcome : { ...outcome, problems: [problem] };
    },
    close: hookEnd.close,
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

type HookEnd = {
  /** Runs the after hook unless it ran already; gives what went wrong. */
  run: () => Promise<string | undefined>;
  /** The same where nobody asks any more: something else failed before, and that is what gets told. */
  close: () => Promise<void>;
};

function endOfHooks(store: StoreSettings<FilesSettings>, context: SourceContext): HookEnd {
  const { hooks, path } = store.own;
  let running: Promise<string | undefined> | undefined;
  const runOnce = async () => {
    if (!hooks) return undefined;
    const outcome = await runHook('after', hooks, { name: store.name, path });
    return outcome.ok ? undefined : `the after hook ${outcome.because}`;
  };
  const run = () => {
    running ??= runOnce();
    return running;
  };
  const close = async () => {
    const ranBefore = running !== undefined;
    const problem = await run();
    if (problem !== undefined && !ranBefore) context.log.warn({ store: store.name }, problem);
  };
  return { run, close };
}
