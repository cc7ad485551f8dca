/** What every part of one environment's protection works with. */
import type { Logger } from '#base';
import type { Catalog } from '#catalog';
import type { Environment } from '#environment';
import type { Repository } from '#repository';
import type { Jobs } from '../durable/jobs.ts';
import type { Slots } from './slots.ts';

export type ProtectionContext = {
  environment: Environment;
  repository: Repository;
  catalog: Catalog;
  jobs: Jobs;
  /** Bounds captures side by side, of all environments. */
  slots: Slots;
  /** Folder of this environment's stores in the state folder. */
  folder: string;
  log: Logger;
};

/** `shop/production`. */
export function environmentName(environment: { name: string; stage: string }): string {
  return `${environment.name}/${environment.stage}`;
}
