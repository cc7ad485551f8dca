/**
 * A process that prunes in phases without any grace and kills itself at a named place.
 * Arguments: folder, password, place or `nowhere`.
 */
import { Secret } from '#base';
import { openRepository } from '../open.ts';
import { LocalStorage } from '../storage/local/local-storage.ts';
import { pruneInPhases } from './phases.ts';

const [folder = '', password = '', killAt] = process.argv.slice(2);
const repository = await openRepository({
  storage: new LocalStorage(folder),
  password: new Secret(password),
  cache: false,
});
const result = await pruneInPhases(repository, {
  graceMs: 0,
  maxUnused: 0,
  crashPoint: (name) => {
    if (name === killAt) process.kill(process.pid, 'SIGKILL');
  },
});
process.stdout.write(JSON.stringify(result));
await repository.close();
