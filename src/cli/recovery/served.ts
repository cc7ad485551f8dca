/** Recovery through a running control plane: it knows its spools and watchers, and goes on when this process ends. */
import { type ErrorKind, HoldfastError } from '#base';
import type { When } from '#recovery';
import type { Io } from '../command.ts';
import {
  type ControlPlane,
  connect,
  findControlPlane,
  type Schemas,
} from '../control-plane/client.ts';
import { scopeFrom } from '../control-plane/scope.ts';
import type { paths } from '../generated/api.ts';
import type { Change, Options, RecoverPlan, RecoveryAccess } from './access.ts';
import { type ShownRecovery, shownAnswer } from './report.ts';

const WAIT_MS = 1_000;
const UNDER_WAY = ['recovering', 'promoting'];

type Request = paths['/v1/recoveries']['post']['requestBody']['content']['application/json'];

/** Undefined where no control plane runs. */
export async function servedAccess(options: Options, io: Io): Promise<RecoveryAccess | undefined> {
  const address = await findControlPlane();
  return address && accessTo(connect(address), options, io);
}

function accessTo(plane: ControlPlane, options: Options, io: Io): RecoveryAccess {
  const { ask, client } = plane;
  const { signal } = io;
  let planned: string | undefined;
  const begin = async (plan: RecoverPlan, dryRun: boolean) => {
    const params = { query: scopeFrom(options) };
    const body = { ...requestFrom(plan, dryRun), ...(planned === undefined ? {} : { planned }) };
    return await ask(client.POST('/v1/recoveries', { params, body, signal }));
  };
  const look = async (id: string, waitMs: number) => {
    const params = { path: { id }, query: { waitMs } };
    return await ask(client.GET('/v1/recoveries/{id}', { params, signal }));
  };
  return {
    isTended: true,
    objectiveMs: async () => undefined,
    choose: async (plan) => {
      const answer = await begin(plan, true);
      planned = answer.id;
      return shownAnswer(answer);
    },
    recover: async (plan) => {
      let seen = await begin(plan, false);
      while (seen.failure === undefined && UNDER_WAY.includes(seen.status)) {
        seen = await look(seen.id, WAIT_MS).catch((error: unknown) => {
          if (signal.aborted) io.warn(`It goes on in the control plane: holdfast recovery list`);
          throw error;
        });
        if (seen.progress) io.progress(progressOf(seen.progress));
      }
      if (seen.failure) throw failureOf(seen.failure);
      return { recovery: shownAnswer(seen), problems: [] };
    },
    list: async () => {
      const params = { query: scopeFrom(options) };
      return (await ask(client.GET('/v1/recoveries', { params, signal }))).map(shownAnswer);
    },
    find: async (id) => shownAnswer(await look(id, 0)),
    change: (change, id) => changeServed(plane, change, id, signal),
    hydrate: async (id, bytesPerSecond) => {
      const body = bytesPerSecond === undefined ? {} : { bytesPerSecond };
      const given = { params: { path: { id } }, body, signal };
      return shownAnswer(await ask(client.POST('/v1/recoveries/{id}/hydrate', given)));
    },
    close: async () => {},
  };
}

function requestFrom(plan: RecoverPlan, dryRun: boolean): Request {
  const { when } = plan;
  return {
    to: wantedInstant(when),
    inPlace: plan.inPlace,
    full: plan.full,
    dryRun,
    accept: plan.accept,
    ...(plan.stores ? { stores: plan.stores } : {}),
    ...(plan.owner === undefined ? {} : { owner: plan.owner }),
    ...(plan.line === undefined ? {} : { timeline: plan.line }),
  };
}

/** As the API takes it. */
export function wantedInstant(when: When): Request['to'] {
  return when.kind === 'lsn' ? { kind: 'lsn', lsn: when.lsn.toString() } : when;
}

export function progressOf(progress: NonNullable<Schemas['Recovery']['progress']>) {
  const { step, doneBytes, totalBytes } = progress;
  return {
    step,
    ...(doneBytes === undefined ? {} : { doneBytes }),
    ...(totalBytes === undefined ? {} : { totalBytes }),
  };
}

export function failureOf(failure: NonNullable<Schemas['Recovery']['failure']>): HoldfastError {
  const { code, kind, message, guidance, retryable } = failure;
  return new HoldfastError({ code, kind: kind as ErrorKind, message, guidance, retryable });
}

async function changeServed(
  { ask, client }: ControlPlane,
  change: Change,
  id: string,
  signal: AbortSignal,
): Promise<ShownRecovery> {
  const given = { params: { path: { id } }, signal };
  if (change === 'promote') {
    return shownAnswer(await ask(client.POST('/v1/recoveries/{id}/promote', given)));
  }
  if (change === 'resume') {
    return shownAnswer(await ask(client.POST('/v1/recoveries/{id}/resume', given)));
  }
  if (change === 'pause') {
    return shownAnswer(await ask(client.POST('/v1/recoveries/{id}/pause', given)));
  }
  if (change === 'leave') {
    return shownAnswer(await ask(client.POST('/v1/recoveries/{id}/leave', given)));
  }
  if (change === 'undo') {
    return shownAnswer(await ask(client.POST('/v1/recoveries/{id}/undo', given)));
  }
  return shownAnswer(await ask(client.POST('/v1/recoveries/{id}/remove', given)));
}
