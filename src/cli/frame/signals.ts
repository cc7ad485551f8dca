/** The first Ctrl-C asks the command to stop, the second ends the process at once. SIGTERM and SIGHUP ask likewise. */
import { errors } from '../errors.ts';

export function stopOnSignals(): AbortController {
  const controller = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      if (signal === 'SIGINT') process.exit(130);
      return;
    }
    if (signal === 'SIGINT' && process.stderr.isTTY === true) {
      process.stderr.write('\nStopping. Ctrl-C again ends at once.\n');
    }
    controller.abort(errors.interrupted([]));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  return controller;
}
