/** A process of its own that has a recovery leave its mounts and kills itself at a named place: `DECLARATION ROOT ID POINT`. */
import { quietLogger, silent } from '#base';
import { loadEnvironment } from '#environment';
import { loadRecovery } from '#recovery';
import { leaveMountsOf } from '../../../src/app/recovery/index.ts';

const [file = '', root = '', id = '', point] = process.argv.slice(2);
await leaveMountsOf({
  environment: await loadEnvironment({ file }),
  state: await loadRecovery(root, id),
  log: quietLogger,
  progress: silent,
  signal: new AbortController().signal,
  crashPoint: (name) => {
    if (name === point) process.kill(process.pid, 'SIGKILL');
  },
});
