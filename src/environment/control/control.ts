/** Stopping and starting the production instance of a service by the command lines of the file. */
import path from 'node:path';
import { errors } from '../errors.ts';
import type { Environment, Service } from '../model.ts';
import { productionAddresses } from '../runtimes/service-environment.ts';
import { runShell } from './shell.ts';

export type ServiceControl = { stop(): Promise<void>; start(): Promise<void> };

export type ControlOptions = {
  signal?: AbortSignal;
  /** How long either may take. */
  timeoutMs?: number;
  variables?: Readonly<Record<string, string | undefined>>;
};

const TIMEOUT_MS = 120_000;

/**
 * By name of service; undefined for one without `control`. Both reject with `control-failed`, and with the signal's
 * reason when aborted. Whether they may be called twice is up to the command lines.
 */
export function serviceControls(
  environment: Environment,
  options: ControlOptions = {},
): Record<string, ServiceControl | undefined> {
  return Object.fromEntries(
    environment.services.map((service) => [
      service.name,
      service.control && controlOf(service, service.control, environment, options),
    ]),
  );
}

function controlOf(
  service: Service,
  lines: { stop: string; start: string },
  environment: Environment,
  options: ControlOptions,
): ServiceControl {
  const run = async (action: 'stop' | 'start') => {
    const result = await runShell({
      line: lines[action],
      cwd: path.dirname(environment.file),
      variables: withoutOurSecrets(options.variables ?? process.env),
      timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
      ...(options.signal && { signal: options.signal }),
      secrets: productionAddresses(environment)
        .map(({ address }) => address)
        .filter((address) => address.includes('@')),
      endsWhatItLeaves: false,
    });
    if (result.how === 'exited' && result.code === 0) return;
    throw errors.controlFailed([service.name, action, result.what, result.tail]);
  };
  return { stop: () => run('stop'), start: () => run('start') };
}

/** Production gets the environment of whoever runs Holdfast, but for what belongs to Holdfast. */
function withoutOurSecrets(
  variables: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(variables).filter(([name]) => !name.startsWith('HOLDFAST_')),
  );
}
