/** A process of its own that promotes or undoes a recovery and kills itself at a named place: `DECLARATION ROOT ID CHANGE POINT`. */
import { quietLogger, silent } from '#base';
import { loadEnvironment } from '#environment';
import { loadRecovery } from '#recovery';
import { changeRecovery } from '../../../src/app/recovery/index.ts';

const [file = '', root = '', id = '', change, point] = process.argv.slice(2);
await changeRecovery(change === 'undo' ? 'undo' : 'promote', {
  environment: await loadEnvironment({ file }),
  state: await loadRecovery(root, id),
  log: quietLogger,
  progress: silent,
  signal: new AbortController().signal,
  crashPoint: (name) => {
    if (name === point) process.kill(process.pid, 'SIGKILL');
  },
});
