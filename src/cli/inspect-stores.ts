/** Asks the sources about stores, side by side, each within its time. Writes nothing anywhere. */
import os from 'node:os';
import path from 'node:path';
import { isHoldfastError, messageOf, quietLogger, silent } from '#base';
import { type Environment, type Seen, type StoreInspection, storeSettings } from '#environment';
import { findSource, type StoreSettings } from '#sources';

/** Longer than any source needs that answers at all; a plan is something that one waits for. */
const INSPECTION_TIMEOUT_MS = 10_000;

/** By name of store. What fails or takes too long is unreachable, with the reason as its finding. */
export async function inspectStores(
  environment: Environment,
  signal: AbortSignal,
): Promise<Map<string, StoreInspection>> {
  const inspected = await Promise.all(
    environment.stores.flatMap((store) => {
      const settings = storeSettings(environment, store);
      return settings === undefined ? [] : [inspectStore(store.type, settings, signal)];
    }),
  );
  return new Map(inspected.map((one) => [one.name, one.inspection]));
}

/** The same of what was only seen, as it would be protected by default. */
export async function inspectSeen(seen: readonly Seen[], signal: AbortSignal): Promise<Seen[]> {
  return Promise.all(
    seen.map(async (each) => {
      const own = each.own && findSource(each.own.type)?.schema.safeParse(each.own.fields).data;
      if (each.own === undefined || own === undefined) return each;
      const settings: StoreSettings = {
        name: each.name,
        environment: 'seen',
        stage: 'production',
        rpoMs: 5_000,
        protect: { kind: 'continuous' },
        own,
      };
      const { inspection } = await inspectStore(each.own.type, settings, signal);
      return { ...each, inspection };
    }),
  );
}

async function inspectStore(
  type: string,
  settings: StoreSettings,
  signal: AbortSignal,
): Promise<{ name: string; inspection: StoreInspection }> {
  const { name } = settings;
  const source = findSource(type);
  if (source === undefined) return { name, inspection: unreachable(type, 'no source reads this') };
  const timeout = AbortSignal.timeout(INSPECTION_TIMEOUT_MS);
  const ended = AbortSignal.any([signal, timeout]);
  try {
    const inspection = await Promise.race([
      source.inspect(settings, {
        log: quietLogger,
        progress: silent,
        signal: ended,
        // Named and never made: a plan leaves no trace.
        stateFolder: path.join(os.tmpdir(), 'holdfast-plan-keeps-no-state'),
      }),
      rejectionOf(ended),
    ]);
    return { name, inspection };
  } catch (error) {
    signal.throwIfAborted();
    if (timeout.aborted) {
      const seconds = INSPECTION_TIMEOUT_MS / 1000;
      return { name, inspection: unreachable(type, `did not answer within ${seconds}s`) };
    }
    const guidance = isHoldfastError(error) ? error.guidance : undefined;
    return { name, inspection: unreachable(type, messageOf(error), guidance) };
  }
}

function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function unreachable(method: string, what: string, mend?: string): StoreInspection {
  const finding = { severity: 'refuse' as const, code: 'unreachable', what };
  return {
    method,
    reachable: false,
    findings: [mend === undefined ? finding : { ...finding, mend }],
    facts: {},
  };
}
