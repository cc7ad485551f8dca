/** A bound on what goes on side by side: so many at once, the others wait in their order. */

export type Slots = {
  /** Rejects with the signal's reason when aborted while waiting. */
  use<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
};

export function createSlots(count: number): Slots {
  let free = count;
  const waiting: (() => void)[] = [];
  const leave = () => {
    const next = waiting.shift();
    if (next) next();
    else free += 1;
  };
  const enter = (signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        waiting.splice(waiting.indexOf(admitted), 1);
        reject(signal.reason);
      };
      const admitted = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      if (signal.aborted) reject(signal.reason);
      else if (free > 0) {
        free -= 1;
        resolve();
      } else {
        waiting.push(admitted);
        signal.addEventListener('abort', onAbort, { once: true });
      }
    });
  return {
    async use(signal, work) {
      await enter(signal);
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}
