/** No room where a restore writes: it stops and says so, and with room the same restore brings everything. */
import fs from 'node:fs';
import path from 'node:path';
import { restoreTree } from '#recovery';
import { createRepository } from '#repository';
import { saveFiles } from '../../../src/repository/saved-files.fixture.ts';
import { MemoryStorage } from '../../../src/repository/storage/memory.ts';
import type { FullDiskTrials } from '../disk-full.ts';
import { PASSWORD, SCRYPT } from '../sample.ts';
import { saysFull, told } from './repository.ts';

export async function fullTarget({ disk, chance, figures, count, fail }: FullDiskTrials) {
  const storage = new MemoryStorage('restored');
  const repository = await createRepository({ storage, password: PASSWORD, scrypt: SCRYPT });
  const files = new Map<string, Buffer>();
  for (let number = 0; number < 8; number += 1) {
    files.set(`folder${number % 3}/file${number}`, chance.bytes(1 + chance.below(90_000)));
  }
  const { tree } = await saveFiles(repository, files, 100_000);
  await repository.loadIndex();
  for (let number = 0; number < count; number += 1) {
    const roomBytes = (number % 130) * 4096;
    const target = disk.place(`target${number}`);
    disk.leave(roomBytes);
    const restore = () => restoreTree({ repository, tree, target, existing: 'update' });
    try {
      await restore();
      figures.add('target: room enough');
    } catch (error) {
      if (!saysFull(error, target)) fail(`target with ${roomBytes} bytes of room: ${told(error)}`);
      figures.add('target: no room, said so');
    }
    disk.giveBack();
    const { problems } = await restore();
    if (problems[0]) fail(`target, then enough: ${problems[0].what}`);
    for (const [name, bytes] of files) {
      const isRight = fs.readFileSync(path.join(target, name)).equals(bytes);
      if (!isRight) fail(`target with ${roomBytes} bytes of room, then enough: ${name} is wrong`);
    }
    fs.rmSync(target, { recursive: true });
  }
  await repository.close();
}
