/**
 * What a server is busy with, so that what can wait does. Idle is a server that makes no capture, recovery, proof or
 * maintenance at the moment, and none of them has ended just now; the journals that it streams all the time don't count.
 */
import { systemClock } from '#base';

export type Activity = {
  /** Counts as busy with this until the work has ended, well or not. */
  during<T>(what: string, work: () => Promise<T>): Promise<T>;
  /** What goes on, in words; the oldest first. */
  current(): string[];
  /** For how long nothing has gone on; 0 while something does. From the beginning on, where nothing has yet. */
  quietMs(): number;
};

export function createActivity(): Activity {
  const going = new Set<{ what: string }>();
  let quietSinceMs = systemClock.monotonicMs();
  return {
    async during(what, work) {
      const one = { what };
      going.add(one);
      try {
        return await work();
      } finally {
        going.delete(one);
        quietSinceMs = systemClock.monotonicMs();
      }
    },
    current: () => [...going].map(({ what }) => what),
    quietMs: () => (going.size > 0 ? 0 : systemClock.monotonicMs() - quietSinceMs),
  };
}
