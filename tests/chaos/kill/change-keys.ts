/**
 * A process that gives a repository a new password and takes all others away, each step told once it is done. With weak
 * and quick keys: what is tested is not their strength. Arguments: location. Environment: HOLDFAST_PASSWORD, NEXT_PASSWORD.
 */
import fs from 'node:fs';
import { Secret } from '#base';
import { openRepository, openStorage } from '#repository';
import { SCRYPT } from '../sample.ts';

const { HOLDFAST_PASSWORD = '', NEXT_PASSWORD = '' } = process.env;
const repository = await openRepository({
  storage: await openStorage(process.argv[2] ?? ''),
  password: new Secret(HOLDFAST_PASSWORD),
  scrypt: SCRYPT,
});
// Synchronous: it must be out before whatever comes next.
const say = (line: string) => fs.writeSync(1, `${line}\n`);
await repository.keys.add(new Secret(`${NEXT_PASSWORD}, for a colleague`));
say('added');
await repository.keys.change(new Secret(NEXT_PASSWORD));
say('changed');
for (const { id, current } of await repository.keys.list()) {
  if (!current) await repository.keys.remove(id);
}
say('removed');
await repository.close();
