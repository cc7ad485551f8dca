/** Joins what holdfast.yaml declares to what recovery needs of a site: services, checks, production's controls. */
import {
  createProcessRuntime,
  type Environment,
  productionControls,
  runChecks,
  storeSettings,
} from '#environment';
import type { ProductionStore, Site } from '#recovery';
import { type CaptureOutcome, findSource } from '#sources';

export type SiteOptions = {
  environment: Environment;
  /** What the newest capture of a store said, where it is known: production's folder may be told there. */
  captures?: Readonly<Record<string, CaptureOutcome>>;
  signal?: AbortSignal;
};

export function siteOf({ environment, captures = {}, signal }: SiteOptions): Site {
  const abortable = signal === undefined ? {} : { signal };
  const controls = productionControls(environment, abortable);
  const stores = environment.stores.flatMap((store): [string, ProductionStore][] => {
    const settings = storeSettings(environment, store);
    const source = findSource(store.type);
    if (!settings || !source) return [];
    const directory = source.home?.(settings, captures[store.name]);
    const control = controls.stores[store.name];
    return [
      [
        store.name,
        {
          ...(directory === undefined ? {} : { directory }),
          ...(control === undefined ? {} : { control }),
          needsControl: source.stop !== undefined,
        },
      ],
    ];
  });
  return {
    services: environment.services
      .filter((service) => service.run !== undefined)
      .map(({ name, needs, mentions, sideEffects }) => ({
        ...{ name, needs, mentions, sideEffects },
      })),
    runtime: createProcessRuntime({ environment, ...abortable }),
    runChecks: (bindings) => runChecks(environment, bindings, abortable),
    production: {
      stores: Object.fromEntries(stores),
      services: environment.services.map(({ name }) => ({
        name,
        control: controls.services[name],
      })),
    },
  };
}
