/**
 * A process of its own that makes or changes a recovery and kills itself at a named place:
 * `DECLARATION ROOT ID CHANGE POINT`. The id counts for nothing where one is made.
 */
import { quietLogger, Secret, silent } from '#base';
import { loadEnvironment } from '#environment';
import { type CrashPoint, loadRecovery } from '#recovery';
import { openRepository, openStorage } from '#repository';
import {
  changeRecovery,
  chooseForEnvironment,
  leaveMountsOf,
  recoverEnvironment,
  settleEnvironment,
} from '../../../src/app/recovery/index.ts';

const [file = '', root = '', id = '', change = '', point = ''] = process.argv.slice(2);
const crashPoint: CrashPoint = (name) => {
  if (name === point) process.kill(process.pid, 'SIGKILL');
};
const environment = await loadEnvironment({ file });
const rest = {
  ...{ environment, log: quietLogger, progress: silent, crashPoint },
  signal: new AbortController().signal,
};

if (change === 'mount' || change === 'write-out') {
  const storage = await openStorage(environment.repository.url);
  const password = environment.repository.password ?? new Secret('');
  const repository = await openRepository({ storage, password });
  const choice = await chooseForEnvironment({
    ...{ environment, repository, when: { kind: 'latest' } },
    spoolFolder: () => undefined,
  });
  const full = change === 'write-out';
  const { state } = await recoverEnvironment({
    ...{ ...rest, repository, choice, root, full },
    inPlace: false,
  });
  if (state.isUnsettled) await settleEnvironment({ ...rest, state });
} else if (change === 'leave') {
  await leaveMountsOf({ ...rest, state: await loadRecovery(root, id) });
} else if (change === 'promote' || change === 'undo' || change === 'remove') {
  await changeRecovery(change, { ...rest, state: await loadRecovery(root, id) });
}
