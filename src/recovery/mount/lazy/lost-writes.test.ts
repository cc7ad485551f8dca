/** What a program was told was written, and what then found no room. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Secret, systemCode } from '#base';
import { createRepository, openStorage, type Repository } from '#repository';
import { canMakeDisks, SmallDisk } from '../../../../tests/chaos/small-disk.ts';
import { saveFiles } from '../../../repository/saved-files.fixture.ts';
import { openLeftFolder } from './left-folder.ts';
import { type Mounting, mountingOf } from './mounting.fixture.ts';

const SIZE_BYTES = 200_000;

describe.runIf(canMakeDisks())('on a full disk', () => {
  let scratch: string;
  let disk: SmallDisk;
  let repository: Repository;
  let mounting: Mounting;

  const mounted = (place: string) => path.join(disk.place(place), 'mount/lazy');
  const left = (place: string) => {
    const [files, state] = ['files', 'state'].map((name) => path.join(disk.place(place), name));
    return openLeftFolder({ files, state } as { files: string; state: string }, repository);
  };
  /** What a program sees of its write and, when it is done, of its close. */
  const overwrite = (place: string): string[] => {
    const file = fs.openSync(mounted(place), 'r+');
    const write = () => fs.writeSync(file, Buffer.alloc(SIZE_BYTES - 1, 'w'));
    return [outcome(write), outcome(() => fs.closeSync(file))];
  };

  beforeAll(async () => {
    scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-lost-writes-'));
    disk = new SmallDisk(8);
    repository = await createRepository({
      storage: await openStorage(path.join(scratch, 'repository')),
      password: new Secret('lazy'),
      scrypt: { N: 1024, r: 8, p: 1 },
    });
    const { tree } = await saveFiles(
      repository,
      new Map([['lazy', Buffer.alloc(SIZE_BYTES, 'l')]]),
    );
    mounting = mountingOf(path.join(scratch, 'repository'), tree);
  });
  afterEach(async () => {
    await mounting.unmount();
    disk.giveBack();
  });
  afterAll(async () => {
    await repository.close();
    disk.close();
    fs.rmSync(scratch, { recursive: true, force: true });
  });

  it('a program learns of it from its write, where nothing is held back', async () => {
    await mounting.mount(disk.place('through'), 'through');
    disk.leave(0);
    expect(overwrite('through')).toEqual(['ENOSPC', 'done']);
    disk.giveBack();
    expect(overwrite('through')).toEqual(['done', 'done']);
    expect(await mounting.hydrate()).toBe('hydrated');
    await mounting.unmount();
    left('through').close();
  });

  it('what was held back and lost is never taken for whole, with room again too', async () => {
    await mounting.mount(disk.place('behind'), 'behind');
    disk.leave(0);
    expect(overwrite('behind')).toEqual(['done', 'ENOSPC']);
    disk.giveBack();
    const lost = 'not all that was written to';
    expect(await mounting.hydrate()).toContain(lost);
    await mounting.unmount();
    expect(() => left('behind')).toThrow(lost);
    await mounting.mount(disk.place('behind'));
    expect(await mounting.hydrate()).toContain(lost);
  });
});

function outcome(work: () => void): string {
  try {
    work();
    return 'done';
  } catch (error) {
    return systemCode(error) ?? 'failed';
  }
}
