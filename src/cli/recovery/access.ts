/** What the commands about recoveries ask for, whoever does it: a running control plane, or this process. */
import type { When } from '#recovery';
import type { Problems, ShownRecovery } from './report.ts';

export type Options = Record<string, unknown>;

export type RecoverPlan = {
  when: When;
  stores?: string[];
  inPlace: boolean;
  full: boolean;
  accept: string[];
  owner?: string;
  line?: number;
};

export type Change = 'promote' | 'undo' | 'remove' | 'resume' | 'pause' | 'leave';

export interface RecoveryAccess {
  /** Somebody looks after recoveries, and mounts again what nobody serves any more. */
  readonly isTended: boolean;
  /** How long a recovery may take, where that is known here. */
  objectiveMs(): Promise<number | undefined>;
  /** What would be done; changes nothing. */
  choose(plan: RecoverPlan): Promise<ShownRecovery>;
  /** Does it, from the choice that was made last for this plan. */
  recover(plan: RecoverPlan): Promise<{ recovery: ShownRecovery; problems: Problems }>;
  list(): Promise<ShownRecovery[]>;
  find(id: string): Promise<ShownRecovery>;
  change(change: Change, id: string): Promise<ShownRecovery>;
  /** Goes on in the background; without a rate at that of before, else at the environment's. */
  hydrate(id: string, bytesPerSecond: number | undefined): Promise<ShownRecovery>;
  close(): Promise<void>;
}
