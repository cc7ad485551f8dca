/** One proof of the declared environment. The control plane and the command line both come through here. */
import { createHash } from 'node:crypto';
import os from 'node:os';
import type { Logger, ProgressListener } from '#base';
import type { Environment } from '#environment';
import {
  type Choice,
  outcomeOf,
  proveInstant,
  type RemoveOptions,
  sweepPassingPlaces,
  type When,
} from '#recovery';
import {
  listPoints,
  type Proof,
  type RecoveryPoint,
  type Repository,
  readPoint,
} from '#repository';
import { chooseForEnvironment, mountingFor } from './recover-environment.ts';
import { siteOf } from './site.ts';

export type ProveEnvironmentOptions = {
  environment: Environment;
  repository: Repository;
  choice: Choice;
  /** Id of the recovery point that was chosen, where it is one. */
  point?: string;
  /** Folder that holds the proofs of this host. */
  folder: string;
  /** Everything is written out before anything starts. Else stores are mounted, where that can be. */
  full: boolean;
  owner?: string;
  version: string;
  controlPlane?: string;
  log: Logger;
  progress: ProgressListener;
  signal: AbortSignal;
};

export type ToProve = { choice: Choice; point?: string };

/**
 * Undefined: the newest recovery point, or all that there is where none is noted. By the repository alone: what lies only
 * on this host may be lost together with it. Throws what `chooseRecovery` throws.
 */
export async function chooseToProve(
  environment: Environment,
  repository: Repository,
  wanted: When | Pick<RecoveryPoint, 'id' | 'atMs'> | undefined,
): Promise<ToProve> {
  const asked = wanted ?? (await newestPoint(environment, repository)) ?? LATEST;
  const isPoint = 'id' in asked;
  const choice = await chooseForEnvironment({
    ...{ environment, repository },
    when: isPoint ? { kind: 'time', atMs: asked.atMs } : asked,
    spoolFolder: () => undefined,
  });
  return { choice, ...(isPoint && { point: asked.id }) };
}

const LATEST: When = { kind: 'latest' };

/** Undefined where the newest one lacks a store that is declared now: it came later, or nothing was captured of it yet. */
async function newestPoint({ name, stage, stores }: Environment, repository: Repository) {
  const newest = (await listPoints(repository, name, stage)).at(-1);
  if (!newest) return undefined;
  const point = await readPoint(repository, name, stage, newest.id);
  return holdsAll(point, stores) ? newest : undefined;
}

/** Nothing of what is protected now is missing in it. */
export function holdsAll(
  { stores: captured }: Pick<RecoveryPoint, 'stores'>,
  stores: Environment['stores'],
): boolean {
  return stores.every((store) => !('own' in store) || Object.hasOwn(captured, store.name));
}

/** Where nothing is declared of what a proof may cost: its sample is of this size. */
const USUAL_BUDGET = { cpuShare: 0.1, readShare: 0.02 };

/** The record, which isn't written yet; `notMounted`: why all of it was written out. Throws as `proveInstant` does. */
export async function proveEnvironment(
  options: ProveEnvironmentOptions,
): Promise<{ proof: Proof; notMounted?: string }> {
  const { environment, repository, choice, point, folder, full, owner, signal } = options;
  const { version, controlPlane } = options;
  const captures = choice.stores.map(
    ({ store, capture }) => [store.name, outcomeOf(capture)] as const,
  );
  const { mounts, notMounted } = await mountingFor({
    ...{ full, repository, environment },
    inPlace: false,
    root: folder,
  });
  const proof = await proveInstant({
    ...{ repository, choice, folder, signal },
    ...{ log: options.log, progress: options.progress },
    environment: environment.name,
    stage: environment.stage,
    site: siteOf({ environment, captures: Object.fromEntries(captures), signal }),
    budget: environment.proofs ?? USUAL_BUDGET,
    declaration: declaredDigest(environment),
    by: { version, host: os.hostname(), ...(controlPlane === undefined ? {} : { controlPlane }) },
    ...(point === undefined ? {} : { point }),
    ...(owner === undefined ? {} : { owner }),
    ...(mounts && { mounts }),
  });
  return { proof, ...(notMounted === undefined ? {} : { notMounted }) };
}

/** Of what is declared, as written: it changes with every change of the file or its overlay. Holds no secret. */
export function declaredDigest({ texts }: Pick<Environment, 'texts'>): string {
  const hash = createHash('sha256');
  for (const { text } of texts) hash.update(`${Buffer.byteLength(text)}\n${text}`);
  return hash.digest('hex');
}

/** Takes away what killed proofs left on this host, of whatever environment. */
export async function sweepLeftProofs(
  folder: string,
  { environment, log }: { environment: Environment } & Pick<RemoveOptions, 'log'>,
): Promise<number> {
  return await sweepPassingPlaces(folder, { site: siteOf({ environment }), log });
}
