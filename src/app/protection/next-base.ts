/** The next base of a store, made on this host of the one before and the journal since. Production isn't asked. */
import { type CrashPointName, captureStore } from '#capture';
import { type Store, storeSettings } from '#environment';
import { type Choice, type ChosenStore, whyNoMount, withPassingCopy } from '#recovery';
import type { CaptureRecord } from '#repository';
import type { AdvancedBase, Source, StoreSettings } from '#sources';
import { errors } from '../errors.ts';
import { chooseForEnvironment, type PartsOptions, passingOptions } from '../recovery/index.ts';

/** Between two steps: handed in by whoever wants to know that a crash there leaves nothing. */
export type NextBaseCrashPoint = CrashPointName | 'base/advanced' | 'base/unmounted';

export type NextBaseOptions = PartsOptions & { crashPoint?: (name: NextBaseCrashPoint) => void };

/**
 * Undefined where nothing would be gained yet. Nothing of the copy is left either way; what a killed process left is
 * taken away by whoever makes a copy next. Throws `app/base-needs-mounts`, and what recovering and capturing throw.
 */
export async function makeNextBase(
  options: NextBaseOptions,
  store: Extract<Store, { own: Record<string, unknown> }>,
): Promise<CaptureRecord | undefined> {
  const { environment, repository, progress, signal, crashPoint = () => {} } = options;
  const unmountable = await whyNoMount();
  if (unmountable !== undefined) throw errors.baseNeedsMounts([store.name, unmountable]);
  const choice = await chooseForEnvironment({
    ...{ environment, repository, when: { kind: 'latest' }, stores: [store.name] },
    // What lies only on this host may be lost together with it.
    spoolFolder: () => undefined,
  });
  const advancing = advancingChoice(choice);
  return await withPassingCopy(advancing.choice, await passingOptions(options), async (copy) => {
    const { chosen } = copy.store(store.name);
    const advanced = advancing.advanced();
    if (!advanced) return undefined;
    crashPoint('base/advanced');
    const left = await copy.left(store.name);
    crashPoint('base/unmounted');
    if (!left) throw errors.baseNeedsMounts([store.name, 'its copy was not mounted']);
    try {
      const capture = advanced.capture(store.name, left);
      return await captureStore({
        repository,
        source: { ...chosen.store.source, capture: async () => capture },
        store: storeSettings(environment, store) as StoreSettings,
        context: { ...copy.context(store.name), progress, signal },
        previous: chosen.capture,
        crashPoint,
        facts: { madeOf: chosen.capture.id, asOfMs: asOfMs(chosen) },
      });
    } finally {
      left.close();
    }
  });
}

/** The same choice of stores that are brought forward and stopped, where others are brought to life. */
function advancingChoice(choice: Choice): {
  choice: Choice;
  advanced(): AdvancedBase | undefined;
} {
  const [chosen] = choice.stores as [ChosenStore];
  let advanced: AdvancedBase | undefined;
  const { source } = chosen.store;
  const advancing: Source = {
    ...source,
    async recover(request, context) {
      advanced = await source.advance?.(request, context);
      return { url: '', facts: {} };
    },
  };
  const store = { ...chosen.store, source: advancing };
  return { choice: { ...choice, stores: [{ ...chosen, store }] }, advanced: () => advanced };
}

/** What was committed by then (Holdfast's clock) is in it. */
function asOfMs({ capture, resolved }: ChosenStore): number {
  const { facts, clock } = capture;
  const before = typeof facts.asOfMs === 'number' ? facts.asOfMs : capture.endedAtMs;
  const { lastCommitMs } = resolved ?? {};
  return lastCommitMs === undefined ? before : Math.max(before, lastCommitMs - clock.offsetMs);
}
