/** `holdfast prove`: by a running control plane, or by this process with repository and password alone. */
import { createLogger, systemClock } from '#base';
import type { Environment } from '#environment';
import type { When } from '#recovery';
import type { Proof, Repository } from '#repository';
import type { ExitCode, Io } from '../command.ts';
import { parseWhen } from '../frame/when.ts';
import type { Options } from './access.ts';
import { proofLines, type ShownProof } from './show-proof.ts';

export async function prove(when: unknown, options: Options, io: Io): Promise<ExitCode> {
  const wanted = typeof when === 'string' ? parseWhen(when, systemClock.nowMs()) : undefined;
  const isDirect = options.repo !== undefined || options.target !== undefined;
  const { proveServed } = await import('./prove-served.ts');
  const served = isDirect ? undefined : await proveServed(wanted, options, io);
  const { proof, notMounted } = served ?? (await proveDirectly(wanted, options, io));
  for (const line of proofLines(proof, notMounted)) io.say(line);
  io.result({ ...proof, ...(notMounted === undefined ? {} : { notMounted }) });
  return proof.verdict === 'pass' ? 0 : 6;
}

type Proven = { proof: ShownProof; notMounted?: string };

async function proveDirectly(wanted: When | undefined, options: Options, io: Io): Promise<Proven> {
  const { withDirectSession } = await import('./direct.ts');
  return await withDirectSession(options, async ({ environment, repository }) => {
    const { proofView } = await import('#app/recovery');
    const { writeProof } = await import('#repository');
    const { proof, notMounted } = await lookAt(environment, repository, wanted, options, io);
    await writeProof(repository, proof);
    return { proof: proofView(proof), ...(notMounted === undefined ? {} : { notMounted }) };
  });
}

async function lookAt(
  environment: Environment,
  repository: Repository,
  wanted: When | undefined,
  options: Options,
  io: Io,
): Promise<{ proof: Proof; notMounted?: string }> {
  const { chooseToProve, proveEnvironment, sweepLeftProofs } = await import('#app/recovery');
  const { productVersion } = await import('../frame/version.ts');
  const folder = await proofsFolder(options);
  const log = createLogger();
  await sweepLeftProofs(folder, { environment, log });
  return await proveEnvironment({
    ...{ environment, repository, folder, log },
    ...(await chooseToProve(environment, repository, wanted)),
    full: options.full === true,
    ...(typeof options.owner === 'string' ? { owner: options.owner } : {}),
    version: productVersion(),
    progress: io.progress,
    signal: io.signal,
  });
}

async function proofsFolder(options: Options): Promise<string> {
  if (typeof options.target === 'string') {
    const path = await import('node:path');
    return path.resolve(options.target);
  }
  const { stateFolder } = await import('#app');
  return stateFolder().proofs;
}
