/**
 * A process that lays a tree out and mounts it, as tests need one: nobody may look at a mount from the process that
 * serves it, and one must be killed. Words: repository, tree, folder (gets `files`, `state`, `mount`), `behind` where
 * the kernel may hold back what is written, `bare` where it is mounted without extended attributes, as for a database.
 * Says `mounted`; `hydrate` on its input is answered with `hydrated`, or with what is wrong; the end of its input
 * unmounts.
 */
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { messageOf, Secret } from '#base';
import { openRepository, openStorage } from '#repository';
import { BlobCache } from '../blob-cache.ts';
import { isLaidOut, layOutTree } from './lay-out.ts';
import { mountFolder } from './mount-folder.ts';

const [location = '', tree = '', folder = '', writing, kind] = process.argv.slice(2);
const password = new Secret('lazy');
const repository = await openRepository({ storage: await openStorage(location), password });
await repository.loadIndex();
const places = { files: path.join(folder, 'files'), state: path.join(folder, 'state') };
const mountPoint = path.join(folder, 'mount');
fs.mkdirSync(mountPoint, { recursive: true });
if (!isLaidOut(places)) await layOutTree({ repository, tree }, places);
const mounted = await mountFolder({
  ...places,
  mountPoint,
  hasXattrs: kind !== 'bare',
  writesBehind: writing === 'behind',
  blobs: new BlobCache(repository, { maxBytes: 8 * 1024 * 1024 }),
  onFailure: (error) => process.stderr.write(`${messageOf(error)}\n`),
});
process.stdout.write('mounted\n');
for await (const line of readline.createInterface({ input: process.stdin })) {
  if (line !== 'hydrate') continue;
  try {
    await mounted.hydrate(new AbortController().signal);
    process.stdout.write('hydrated\n');
  } catch (error) {
    process.stdout.write(`${messageOf(error)}\n`);
  }
}
await mounted.end();
await repository.close();
