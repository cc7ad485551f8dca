import { expect, test } from 'vitest';
import { randomBytes, Secret } from '#base';
import { createRepository } from '../open.ts';
import { FAST_SCRYPT } from '../restic.fixture.ts';
import { MemoryStorage } from '../storage/memory.ts';

async function made() {
  const files = new Map<string, Buffer>();
  const storage = new MemoryStorage('test', files);
  const password = new Secret('p');
  const { sealed } = await createRepository({ storage, password, scrypt: FAST_SCRYPT });
  return { files, sealed };
}

test('sealed files come back, compressible or not, empty or long', async () => {
  const { files, sealed } = await made();
  const contents = [Buffer.alloc(0), Buffer.alloc(200_000, 'ab'), randomBytes(70_000)];
  for (const content of contents) {
    await sealed.write('a/b', content);
    expect((await sealed.read('a/b')).equals(content)).toBe(true);
    const stored = files.get('holdfast/a/b') as Buffer;
    expect(stored.length).toBeLessThan(content.length + 100);
  }
  expect(await sealed.readIfThere('a/c')).toBeUndefined();
});

test('the first one is preceded by the format', async () => {
  const { files, sealed } = await made();
  await Promise.all([sealed.write('b', Buffer.from('1')), sealed.write('a', Buffer.from('2'))]);
  const own = [...files.keys()].filter((name) => name.startsWith('holdfast/'));
  expect(own[0]).toBe('holdfast/format');
  expect(own).toEqual(expect.arrayContaining(['holdfast/a', 'holdfast/b']));
});

test('an exchanged, flipped or cut file is noticed', async () => {
  const { files, sealed } = await made();
  await sealed.write('one', Buffer.from('1'));
  await sealed.write('two', Buffer.from('2'));
  const one = files.get('holdfast/one') as Buffer;
  files.set('holdfast/two', one);
  await expect(sealed.read('two')).rejects.toMatchObject({ code: 'repository/sealed-misplaced' });
  const flipped = Buffer.from(one);
  flipped[20] = (flipped[20] as number) ^ 1;
  for (const damaged of [flipped, one.subarray(0, -1), Buffer.alloc(0)]) {
    files.set('holdfast/one', damaged);
    await expect(sealed.read('one')).rejects.toMatchObject({ code: 'repository/file-damaged' });
  }
});
