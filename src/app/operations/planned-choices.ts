/** What dry runs showed, for a while: whoever goes on with one gets what was shown, and nothing is looked up twice. */
import { type Clock, shortId, systemClock } from '#base';
import type { Choice } from '#recovery';
import type { EnvironmentProtection } from '../protection/environment-protection.ts';

const KEPT = 16;
const KEPT_MS = 10 * 60_000;

type Planned = { choice: Choice; protection: EnvironmentProtection; atMs: number };

export class PlannedChoices {
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #byId = new Map<string, Planned>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Returns the id by which it is found again. */
  add(protection: EnvironmentProtection, choice: Choice): string {
    for (const id of [...this.#byId.keys()].slice(0, -(KEPT - 1))) this.#byId.delete(id);
    const id = shortId('plan-', 12);
    this.#byId.set(id, { choice, protection, atMs: this.#clock.monotonicMs() });
    return id;
  }

  /** Undefined where it is too old, or the environment was declared anew since. */
  find(protection: EnvironmentProtection, id: string): Choice | undefined {
    const planned = this.#byId.get(id);
    if (!planned || planned.protection !== protection) return undefined;
    return this.#clock.monotonicMs() - planned.atMs <= KEPT_MS ? planned.choice : undefined;
  }
}
