/** Requests for a copy of the database, from the asking to the first answered query. */
import fs from 'node:fs';
import pg from 'pg';
import { createLogger, silent } from '#base';
import { listRecoveries, type RecoveryState } from '#recovery';
import type { Repository } from '#repository';
import { findSource } from '#sources';
import {
  changeRecovery,
  chooseForEnvironment,
  recoverEnvironment,
  settleEnvironment,
} from '../../src/app/recovery/index.ts';
import { type Environment, loadEnvironment } from '../../src/environment/index.ts';
import { measure } from '../measure.ts';
import { holdfastProgram, PASSWORD } from '../peers.ts';
import type { Expected } from './expected.ts';

/** Where copies are asked for. */
export type Place = {
  environment: Environment;
  /** Its declaration. */
  file: string;
  repository: Repository;
  /** Holds the recoveries; each root has a mount service of its own. */
  root: string;
};

export type Answered = {
  state: RecoveryState;
  wallMs: number;
  /** Of the choosing, of each phase of the recovery, of the first connection and query. */
  phases: Record<string, number>;
};

/** As the control plane does it: repository and key are at hand. */
export async function requestCopy(
  { environment, repository, root }: Place,
  lsn: bigint,
  expected: Expected,
): Promise<Answered> {
  const begun = performance.now();
  const signal = new AbortController().signal;
  const choice = await chooseForEnvironment({
    ...{ environment, repository, when: { kind: 'lsn' as const, lsn } },
    spoolFolder: () => undefined,
  });
  const chosen = performance.now();
  const { state } = await recoverEnvironment({
    ...{ environment, repository, choice, root, inPlace: false, full: false },
    ...{ log: createLogger(), progress: silent, signal },
  });
  const up = performance.now();
  await expected.ask(urlOf(state));
  const wallMs = performance.now() - begun;
  const phases: Record<string, number> = { choose: chosen - begun };
  for (const { phase, tookMs } of state.phases) phases[phase] = tookMs;
  phases.query = performance.now() - up;
  // The control plane does it when it looks next.
  const tools = { log: createLogger(), progress: silent, signal };
  if (state.isUnsettled) await settleEnvironment({ environment, state, ...tools });
  return { state, wallMs, phases };
}

/** As the command line does it, from nothing. */
export async function commandCopy(
  { file, root }: Place,
  lsn: bigint,
  expected: Expected,
): Promise<Answered> {
  const where = ['-f', file, '--target', root];
  const begun = performance.now();
  await measure([holdfastProgram, 'recover', '--to', formatLsn(lsn), ...where]);
  const [state] = (await listRecoveries(root)).sort((a, b) => b.createdAtMs - a.createdAtMs);
  if (!state) throw new Error('the command left no recovery');
  const up = performance.now();
  await expected.ask(urlOf(state));
  const wallMs = performance.now() - begun;
  return { state, wallMs, phases: { command: up - begun } };
}

const formatLsn = (lsn: bigint) =>
  `${(lsn >> 32n).toString(16)}/${(lsn & 0xffffffffn).toString(16)}`.toUpperCase();

export function urlOf(state: RecoveryState): string {
  return state.stores.database?.url ?? '';
}

/** Its server does nothing more of its own, as vacuuming, while others are measured. */
export async function stopCopy({ folder, stores }: RecoveryState): Promise<void> {
  const directory = stores.database?.directory ?? '';
  await findSource('postgres')?.stop?.(directory, {
    ...{ log: createLogger(), progress: silent, stateFolder: folder },
    signal: new AbortController().signal,
  });
}

/** All that were asked for there, also such as failed. */
export async function removeCopies({ environment, root }: Place): Promise<void> {
  for (const state of await listRecoveries(root)) {
    await changeRecovery('remove', {
      ...{ environment, state, log: createLogger(), progress: silent },
      signal: new AbortController().signal,
    });
  }
}

export async function openEnvironment(
  file: string,
  location: string,
  serverUrl: string,
): Promise<Environment> {
  fs.writeFileSync(
    file,
    `apiVersion: holdfast/v1
name: bench
stage: production
repository: {url: "${location}", password: "\${HOLDFAST_PASSWORD}"}
stores:
  database: {type: postgres, url: "\${BENCH_URL}", protect: continuous}
`,
  );
  process.env.HOLDFAST_PASSWORD = PASSWORD;
  process.env.BENCH_URL = serverUrl;
  return await loadEnvironment({ file });
}

export async function withClient<T>(
  url: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
