/** A process of its own that makes the next base of a store and kills itself at a named place: `DECLARATION FOLDER STORE POINT`. */
import { quietLogger, Secret, silent } from '#base';
import { loadEnvironment } from '#environment';
import { openRepository, openStorage } from '#repository';
import { makeNextBase } from '../../../src/app/protection/next-base.ts';

const [file = '', folder = '', name = '', point = ''] = process.argv.slice(2);
const environment = await loadEnvironment({ file });
const storage = await openStorage(environment.repository.url);
const password = environment.repository.password ?? new Secret('');
const repository = await openRepository({ storage, password });
const store = environment.stores.find((one) => one.name === name);
if (!store || !('own' in store)) throw new Error(`${name} is not declared`);
await makeNextBase(
  {
    ...{ environment, repository, folder, log: quietLogger, progress: silent },
    signal: new AbortController().signal,
    crashPoint: (reached) => {
      if (reached === point) process.kill(process.pid, 'SIGKILL');
    },
  },
  store,
);
