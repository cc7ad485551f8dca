/**
 * What recovery needs to know of the place where an environment runs, handed in by whoever knows holdfast.yaml: how
 * services start, how checks are made, how production is stopped and started.
 */
import type { Bindings, CheckOutcome, RecoveryServices, Runtime } from './request.ts';

/** Stopping and starting something that Holdfast didn't start. */
export type Control = { stop(): Promise<void>; start(): Promise<void> };

export type ProductionStore = {
  /** The folder on this host that holds the data; undefined where it isn't here. */
  directory?: string;
  /** Undefined for stores that no process of their own serves (a folder). */
  control?: Control;
  /** True where the store can't be replaced while it runs: without a control, in place is refused. */
  needsControl: boolean;
};

export type Site = {
  /** Those that a copy can be started of, each after what it needs. */
  services: RecoveryServices;
  runtime: Runtime;
  runChecks(bindings: Bindings): Promise<CheckOutcome[]>;
  production: {
    stores: Record<string, ProductionStore>;
    /** In the order in which they start. */
    services: readonly { name: string; control: Control | undefined }[];
  };
};
