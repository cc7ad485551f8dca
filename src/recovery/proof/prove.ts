/**
 * One proof: an instant is brought up in isolation, as `recover` beside production does it, its checks run, a sample of it
 * is looked at, and all of it is taken away again. What comes back is the record of it, not yet written anywhere.
 */
import { createHash, type Hash } from 'node:crypto';
import {
  isHoldfastError,
  type Logger,
  messageOf,
  type ProgressListener,
  systemClock,
  timedId,
} from '#base';
import type { Proof, ProofCheck, Repository } from '#repository';
import { outcomeOf } from '../choose/choose.ts';
import type { Choice, ChosenStore } from '../choose/request.ts';
import { openPassingPlace, type PassingPlace, removePassingPlace } from '../life/passing-place.ts';
import { type RecoverResult, recoverBeside } from '../life/recover.ts';
import { checkpointStores, sourcesOf } from '../life/settle.ts';
import type { MountClient } from '../mount/index.ts';
import type { RecoveryState } from '../request.ts';
import type { Site } from '../site.ts';
import { type ProofBudget, sampleBytesOf } from './budget.ts';
import { ownProcessorMs, serviceProcessorMs } from './processor-time.ts';
import { sampleFiles } from './sample-files.ts';

export type ProveOptions = {
  repository: Repository;
  environment: string;
  stage: string;
  choice: Choice;
  /** Id of the recovery point that was chosen, where it is one. */
  point?: string;
  site: Site;
  /** Folder that holds the proofs of this host. */
  folder: string;
  owner?: string;
  /** Undefined: all of it is written out. */
  mounts?: MountClient;
  budget: ProofBudget;
  /** Digest of the declaration that `site` is made of. */
  declaration: string;
  by: Proof['by'];
  log: Logger;
  progress: ProgressListener;
  signal: AbortSignal;
};

type Seen = Pick<Proof, 'checks' | 'phases' | 'readBytes' | 'digest'>;

/**
 * What kept the data from being seen is a check that is unknown, what is wrong with it one that failed. Throws only what
 * isn't about the instant: the signal's reason, or that no place could be made. Nothing of the copy is left either way;
 * where that fails, `sweepPassingPlaces` tries again.
 */
export async function proveInstant(options: ProveOptions): Promise<Proof> {
  const { environment, stage, choice, point, declaration, by } = options;
  const startedAtMs = systemClock.nowMs();
  const usedBeforeMs = await ownProcessorMs();
  const service = await serviceMeter(options.mounts);
  const types = choice.stores.map(({ store }) => [store.name, store.source.type] as const);
  const place = await openPassingPlace(options.folder, Object.fromEntries(types));
  let seen: Seen;
  let serviceMs = 0;
  try {
    seen = await lookAt(place, options);
    serviceMs = await service();
  } finally {
    await leave(place, options);
  }
  const { checks } = seen;
  return {
    id: timedId(startedAtMs),
    ...{ environment, stage, instantMs: choice.instantMs },
    ...(point === undefined ? {} : { point }),
    ...{ startedAtMs, endedAtMs: systemClock.nowMs() },
    verdict: verdictOf(checks),
    ...seen,
    stores: storesOf(choice),
    cpuMs: Math.round((await ownProcessorMs()) - usedBeforeMs + serviceMs),
    ...{ declaration, by },
  };
}

export function verdictOf(checks: readonly Pick<ProofCheck, 'verdict'>[]): Proof['verdict'] {
  if (checks.some(({ verdict }) => verdict === 'fail')) return 'fail';
  // Nothing looked at is nothing seen.
  return checks.length > 0 && checks.every(({ verdict }) => verdict === 'pass')
    ? 'pass'
    : 'unknown';
}

/** Tells what a mount service has used since it was called. */
async function serviceMeter(mounts: MountClient | undefined): Promise<() => Promise<number>> {
  if (!mounts) return async () => 0;
  const beforeMs = await serviceProcessorMs(mounts.folder);
  return async () => {
    const nowMs = await serviceProcessorMs(mounts.folder);
    // Another one was started since: then all of it is ours.
    return nowMs < beforeMs ? nowMs : nowMs - beforeMs;
  };
}

async function leave(place: PassingPlace, { site, log, progress }: ProveOptions): Promise<void> {
  progress({ step: 'taking the copy away' });
  try {
    await removePassingPlace(place, { site, log });
  } catch (error) {
    // What was seen counts all the same; whoever proves next takes away what is left.
    await place.lock.release();
    log.warn({ folder: place.root, what: messageOf(error) }, 'a proof left something behind');
  }
}

async function lookAt(place: PassingPlace, options: ProveOptions): Promise<Seen> {
  let state: RecoveryState | undefined;
  const digest = createHash('sha256');
  try {
    const { choice, mounts } = options;
    for (const chosen of choice.stores) digestChoice(digest, chosen);
    const recovered = await recoverBeside({
      ...pickRecovery(options),
      root: place.root,
      inPlace: false,
      onBegun: (begun) => {
        state = begun;
      },
    });
    state = recovered.state;
    // A sample is taken of what lies on disk.
    await checkpointStores({ ...options, state, sources: sourcesOf(choice) });
    const begunMs = systemClock.monotonicMs();
    const samples = await sampleStores(state, digest, options);
    const tookMs = Math.round(systemClock.monotonicMs() - begunMs);
    const readBytes = mounts ? await readBytesOf(mounts, state) : state.bytesRead;
    return {
      checks: [...wholeness(recovered), ...state.checks, ...samples],
      phases: [...state.phases, { phase: 'sample', tookMs }],
      readBytes,
      digest: digest.digest('hex'),
    };
  } catch (error) {
    options.signal.throwIfAborted();
    const readBytes = options.mounts && state ? await readBytesOf(options.mounts, state) : 0;
    return {
      checks: [...(state?.checks ?? []), notBroughtUp(state, error)],
      phases: state?.phases ?? [],
      readBytes,
      digest: digest.digest('hex'),
    };
  }
}

function pickRecovery(options: ProveOptions) {
  const { repository, environment, stage, choice, site, owner, mounts } = options;
  const { log, progress, signal } = options;
  return {
    ...{ repository, environment, stage, choice, site, log, progress, signal },
    ...(owner === undefined ? {} : { owner }),
    ...(mounts && { mounts }),
  };
}

function digestChoice(digest: Hash, { store, capture, resolved }: ChosenStore): void {
  const { line, offset } = resolved?.position ?? { line: 0, offset: 0n };
  digest.update(JSON.stringify([store.name, capture.snapshot, line, offset.toString()]));
}

/** Plain bytes that the mounts of this copy needed so far; 0 where nobody serves them any more. */
async function readBytesOf(mounts: MountClient, { stores }: RecoveryState): Promise<number> {
  const folders = new Set(Object.values(stores).map(({ directory }) => directory));
  const shown = await mounts.list().catch(() => []);
  return shown
    .filter(({ mountPoint }) => folders.has(mountPoint))
    .reduce((sum, { readBytes }) => sum + readBytes, 0);
}

/** What didn't come back as it was. */
function wholeness({ problems }: RecoverResult): ProofCheck[] {
  const stores = new Set(problems.map(({ store }) => store));
  return [...stores].map((store) => {
    const own = problems.filter((problem) => problem.store === store);
    const [first] = own;
    const more = own.length > 1 ? ` and ${own.length - 1} more` : '';
    const what = `${first?.path}: ${first?.what}${more}`;
    return { name: `all files of ${store}`, verdict: 'fail', what, tookMs: 0 };
  });
}

async function sampleStores(
  state: RecoveryState,
  digest: Hash,
  { choice, budget, progress, signal }: ProveOptions,
): Promise<ProofCheck[]> {
  const checks: ProofCheck[] = [];
  for (const { store, capture } of choice.stores) {
    const { name, source } = store;
    progress({ step: `${name}: looking at a sample` });
    const begunMs = systemClock.monotonicMs();
    const request = {
      capture: outcomeOf(capture),
      directory: state.stores[name]?.directory ?? '',
      maxBytes: sampleBytesOf(capture.statistics.bytes, budget),
      onRead: (bytes: Uint8Array) => void digest.update(bytes),
      signal,
    };
    const what = source.sample ? 'pages' : 'files';
    const judged = await judgedSample(
      source.sample ? source.sample(request) : sampleFiles(request),
      signal,
    );
    const tookMs = Math.round(systemClock.monotonicMs() - begunMs);
    checks.push({ name: `${what} of ${name}`, ...judged, tookMs });
  }
  return checks;
}

async function judgedSample(
  looking: Promise<{ what: string; problems: string[] }>,
  signal: AbortSignal,
): Promise<Pick<ProofCheck, 'verdict' | 'what'>> {
  try {
    const { what, problems } = await looking;
    if (problems.length === 0) return { verdict: 'pass', what };
    return { verdict: 'fail', what: `${problems.slice(0, MOST_NAMED).join('; ')} (${what})` };
  } catch (error) {
    signal.throwIfAborted();
    return { verdict: 'unknown', what: messageOf(error) };
  }
}

const MOST_NAMED = 5;

/** What was being done when it failed, as a check. */
const STEPS = ['data', 'journal', 'services', 'checks'] as const;
const STEP_NAMES: Record<(typeof STEPS)[number], string> = {
  data: 'bring the data',
  journal: 'start the stores',
  services: 'start the services',
  checks: 'run the checks',
};

/** These say something of this host or its way to the storage, and nothing of the instant. */
const NOT_ITS_FAULT = new Set([
  'recovery/not-enough-space',
  'recovery/mount-full',
  'recovery/mount-failed',
  'recovery/mount-service-failed',
  'recovery/mount-service-silent',
  'postgres/binaries-missing',
]);

function notBroughtUp(state: RecoveryState | undefined, error: unknown): ProofCheck {
  const done = new Set(state?.phases.map(({ phase }) => phase));
  const step = STEPS.find((one) => !done.has(one)) ?? 'checks';
  const isElsewhere = isHoldfastError(error) && (error.retryable || NOT_ITS_FAULT.has(error.code));
  return {
    name: STEP_NAMES[step],
    verdict: isElsewhere ? 'unknown' : 'fail',
    what: messageOf(error).slice(0, 2_000),
    tookMs: 0,
  };
}

function storesOf(choice: Choice): Proof['stores'] {
  return Object.fromEntries(
    choice.stores.map(({ store, capture, resolved, selection }) => [
      store.name,
      {
        capture: capture.id,
        atMs: selection.atMs,
        ...(resolved && { position: resolved.position }),
      },
    ]),
  );
}

/** Of an instant that couldn't even be chosen: it lies in a gap, or what it needs isn't in the repository. */
export function proofOfNothing(
  error: unknown,
  what: Pick<Proof, 'environment' | 'stage' | 'instantMs' | 'point' | 'declaration' | 'by'>,
): Proof {
  const nowMs = systemClock.nowMs();
  const check = { ...notBroughtUp(undefined, error), name: 'find what it needs' };
  return {
    id: timedId(nowMs),
    ...what,
    ...{ startedAtMs: nowMs, endedAtMs: nowMs, verdict: check.verdict },
    ...{ checks: [check], phases: [], stores: {}, readBytes: 0, cpuMs: 0 },
    digest: createHash('sha256').digest('hex'),
  };
}
