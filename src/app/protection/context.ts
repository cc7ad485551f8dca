/** What every part of one environment's protection works with. */
import type { Logger } from '#base';
import type { Catalog } from '#catalog';
import type { Environment } from '#environment';
import type { Repository } from '#repository';
import type { Jobs } from '../durable/jobs.ts';
import type { Activity } from './activity.ts';
import type { Slots } from './slots.ts';

export type ProtectionContext = {
  environment: Environment;
  repository: Repository;
  catalog: Catalog;
  jobs: Jobs;
  /** Bounds captures side by side, of all environments. */
  slots: Slots;
  /** Of this server, all environments. */
  activity: Activity;
  proving: Proving;
  /** Folder of this environment's stores in the state folder. */
  folder: string;
  log: Logger;
};

/** What proofs are made with. */
export type Proving = {
  /** Their copies lie here, each as long as it is looked at. */
  folder: string;
  version: string;
  controlPlane: string;
  /** One after another, of all environments. */
  turn: Slots;
};

/** `shop/production`. */
export function environmentName(environment: { name: string; stage: string }): string {
  return `${environment.name}/${environment.stage}`;
}
