/** A proof by a running control plane: it goes on there when this process ends. */
import type { When } from '#recovery';
import type { Io } from '../command.ts';
import { connect, findControlPlane, type Schemas } from '../control-plane/client.ts';
import { scopeFrom } from '../control-plane/scope.ts';
import type { Options } from './access.ts';
import { failureOf, progressOf, wantedInstant } from './served.ts';
import type { ShownProof } from './show-proof.ts';

const WAIT_MS = 1_000;

/** Undefined where no control plane runs. */
export async function proveServed(
  wanted: When | undefined,
  options: Options,
  io: Io,
): Promise<{ proof: ShownProof; notMounted?: string } | undefined> {
  const address = await findControlPlane();
  if (!address) return undefined;
  const { ask, client } = connect(address);
  const { signal } = io;
  const body = {
    full: options.full === true,
    ...(wanted && { to: wantedInstant(wanted) }),
    ...(typeof options.owner === 'string' ? { owner: options.owner } : {}),
  };
  const params = { query: scopeFrom(options) };
  let run: Schemas['ProofRun'] = await ask(client.POST('/v1/proofs', { params, body, signal }));
  while (run.state === 'waiting' || run.state === 'running') {
    const path = { id: run.id };
    const look = { params: { path, query: { waitMs: WAIT_MS } }, signal };
    run = await ask(client.GET('/v1/proofs/runs/{id}', look)).catch((error: unknown) => {
      if (signal.aborted) io.warn('It goes on in the control plane: holdfast status');
      throw error;
    });
    if (run.progress) io.progress(progressOf(run.progress));
  }
  io.progress({ step: 'proof', ended: { tookMs: 0 } });
  if (run.failure) throw failureOf(run.failure);
  const { proof, notMounted } = run;
  if (!proof) throw new TypeError('a proof that is done came without its record');
  return { proof, ...(notMounted === undefined ? {} : { notMounted }) };
}
