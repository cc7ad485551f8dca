/** Stopping and starting production by the command lines of the file. */
import { errors } from '../errors.ts';
import type { Control, Environment } from '../model.ts';
import { productionAddresses } from '../runtimes/service-environment.ts';
import { runShell } from './shell.ts';

export type PartControl = { stop(): Promise<void>; start(): Promise<void> };

export type ProductionControls = {
  services: Record<string, PartControl | undefined>;
  stores: Record<string, PartControl | undefined>;
};

export type ControlOptions = {
  signal?: AbortSignal;
  /** How long either may take. */
  timeoutMs?: number;
  variables?: Readonly<Record<string, string | undefined>>;
};

const TIMEOUT_MS = 120_000;

/**
 * By name; undefined for a part without `control`. Both reject with `control-failed`, and with the signal's reason when
 * aborted. They are called again after an interruption: the command lines must bear that, as their schema says.
 */
export function productionControls(
  environment: Environment,
  options: ControlOptions = {},
): ProductionControls {
  const of = (kind: 'services' | 'stores', name: string, lines: Control | undefined) =>
    lines && controlOf(`${kind}.${name}`, lines, environment, options);
  return {
    services: Object.fromEntries(
      environment.services.map(({ name, control }) => [name, of('services', name, control)]),
    ),
    stores: Object.fromEntries(
      environment.stores.map((store) => [
        store.name,
        of('stores', store.name, 'control' in store ? store.control : undefined),
      ]),
    ),
  };
}

function controlOf(
  subject: string,
  lines: Control,
  environment: Environment,
  options: ControlOptions,
): PartControl {
  const run = async (action: 'stop' | 'start') => {
    const result = await runShell({
      line: lines[action],
      cwd: environment.folder,
      variables: withoutOurSecrets(options.variables ?? process.env),
      timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
      ...(options.signal && { signal: options.signal }),
      secrets: productionAddresses(environment)
        .map(({ address }) => address)
        .filter((address) => address.includes('@')),
      endsWhatItLeaves: false,
    });
    if (result.how === 'exited' && result.code === 0) return;
    throw errors.controlFailed([subject, action, result.what, result.tail]);
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
