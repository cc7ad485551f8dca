import { runShell } from '../control/shell.ts';
import type { Check } from '../model.ts';
import { inherited } from '../runtimes/service-environment.ts';
import type { CheckContext, Seen } from './seen.ts';

const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

/**
 * Runs the line by sh in the folder of the file. It finds the copy in HOLDFAST_STORE_ORDERS and HOLDFAST_SERVICE_API,
 * and nothing of production in its environment. What it leaves running is ended.
 */
export async function checkCommand(
  check: Extract<Check, { kind: 'command' }>,
  context: CheckContext,
): Promise<Seen> {
  const { stores, services } = context.bindings;
  const secrets = Object.values(stores).map((store) => store.url);
  const result = await runShell({
    line: check.command,
    cwd: context.folder,
    variables: {
      ...inherited(context.variables),
      ...addresses('HOLDFAST_STORE_', stores),
      ...addresses('HOLDFAST_SERVICE_', services),
    },
    timeoutMs: context.timeoutMs,
    ...(context.signal && { signal: context.signal }),
    secrets: secrets.filter((secret) => secret.length >= 4),
    endsWhatItLeaves: true,
  });
  if (result.how !== 'exited') return { verdict: 'unknown', what: result.what };
  if (result.code === 0) return { verdict: 'pass', what: 'exit 0' };
  const said = result.tail.split('\n').at(-1) ?? '';
  const what = said === '' ? result.what : `${result.what}: ${said.slice(0, 120)}`;
  const neverRan = result.code === NOT_FOUND || result.code === NOT_EXECUTABLE;
  return { verdict: neverRan ? 'unknown' : 'fail', what };
}

function addresses(
  prefix: string,
  parts: Readonly<Record<string, { url: string }>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(parts).map(([name, { url }]) => [
      prefix + name.toUpperCase().replaceAll('-', '_'),
      url,
    ]),
  );
}
