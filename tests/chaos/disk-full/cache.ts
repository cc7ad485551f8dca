/** No room for the local cache: it is a convenience, so that nobody may notice. */
import { createRepository, openRepository, type Storage } from '#repository';
import { readFiles, saveFiles } from '../../../src/repository/saved-files.fixture.ts';
import { MemoryStorage } from '../../../src/repository/storage/memory.ts';
import type { FullDiskTrials } from '../disk-full.ts';
import { type Files, PASSWORD, SCRYPT } from '../sample.ts';
import { told } from './repository.ts';

export async function fullCache({ disk, chance, figures, count, fail }: FullDiskTrials) {
  const files: Files = new Map();
  const open = { password: PASSWORD, scrypt: SCRYPT, cache: { folder: disk.place('cache') } };
  await (await createRepository({ storage: farAway(files), ...open })).close();
  const contents = new Map<string, Buffer>();
  for (let number = 0; number < count; number += 1) {
    const roomBytes = number * 4096 * (number < 30 ? 1 : 4);
    contents.set(`file${number % 10}`, chance.bytes(1 + chance.below(40_000)));
    disk.leave(roomBytes);
    try {
      const repository = await openRepository({ storage: farAway(files), ...open });
      await repository.loadIndex();
      const { tree } = await saveFiles(repository, contents, 30_000);
      const again = await openRepository({ storage: farAway(files), ...open });
      await again.snapshots.list();
      await again.loadIndex();
      for (const [name, read] of await readFiles(again, tree)) {
        if (!Buffer.isBuffer(read) || !contents.get(name)?.equals(read)) {
          fail(`cache with ${roomBytes} bytes of room: ${name} read wrong: ${told(read)}`);
        }
      }
      await again.close();
      await repository.close();
      figures.add('cache: nobody noticed');
    } catch (error) {
      fail(`cache with ${roomBytes} bytes of room: ${told(error)}`);
    }
    disk.giveBack();
  }
}

function farAway(files: Files): Storage {
  const inner = new MemoryStorage('far away', files);
  return {
    ...{ location: inner.location, concurrency: inner.concurrency, isRemote: true },
    read: (name, range) => inner.read(name, range),
    write: (name, parts) => inner.write(name, parts),
    list: (prefix) => inner.list(prefix),
    stat: (name) => inner.stat(name),
    remove: (name) => inner.remove(name),
    close: () => inner.close(),
  };
}
