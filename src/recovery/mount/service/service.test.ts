/** The process that serves mounts, as those who use it see it: when it stays, and when it has gone. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entryExists, Secret } from '#base';
import {
  createRepository,
  encodeTree,
  openStorage,
  openWriter,
  type Repository,
} from '#repository';
import { type MountClient, mountClient } from './client.ts';

let scratch: string;
let repository: Repository;
let tree: string;

beforeAll(async () => {
  scratch = await fs.mkdtemp(path.join(os.tmpdir(), 'holdfast service-'));
  repository = await createRepository({
    storage: await openStorage(path.join(scratch, 'repository')),
    password: new Secret('service'),
    scrypt: { N: 1024, r: 8, p: 1 },
  });
  const writer = await openWriter(repository, { workers: 1 });
  tree = await writer.saveTree(encodeTree([]));
  await writer.finish();
});
afterAll(async () => {
  await repository?.close();
  await fs.rm(scratch, { recursive: true, force: true });
});

function service(name: string): { mounts: MountClient; mount(): Promise<unknown>; at: string } {
  const url = path.join(scratch, 'repository');
  const folder = path.join(scratch, name, 'service');
  const mounts = mountClient({ repository, url, storage: {}, folder });
  const at = path.join(scratch, name, 'mount');
  const places = { files: path.join(scratch, name, 'f'), state: path.join(scratch, name, 's') };
  const what = { mountPoint: at, snapshot: 'ab'.repeat(32), tree };
  const how = { hasXattrs: false, writesBehind: false };
  return { mounts, at, mount: () => mounts.clone({ ...places, ...what, ...how }) };
}

/** An ended service leaves nothing. */
const isServed = ({ mounts }: { mounts: MountClient }) => entryExists(mounts.folder);

describe.runIf(process.getuid?.() === 0)('a mount service', () => {
  it('that is let go ends with its last mount, and no later', async () => {
    const one = service('held');
    const held = await one.mounts.hold();
    expect(await held.ready).toBe(true);
    await one.mount();
    await held.letGo();
    expect(await one.mounts.list()).toMatchObject([{ mountPoint: one.at }]);
    await one.mounts.unmount(one.at);
    expect(await isServed(one)).toBe(false);
  });

  it('that nobody ever held stays for a while for who mounts next', async () => {
    const one = service('unheld');
    await one.mount();
    await one.mounts.unmount(one.at);
    expect(await isServed(one)).toBe(true);
    const held = await one.mounts.hold();
    await held.letGo();
    expect(await isServed(one)).toBe(false);
  });
});
