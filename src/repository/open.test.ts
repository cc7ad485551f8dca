import fs from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Secret } from '#base';
import { isIrreducible, newPolynomial } from './chunker-polynomial.ts';
import { Sealer } from './crypto/sealer.ts';
import { createRepository, openRepository } from './open.ts';
import {
  copyOfGolden,
  FAST_SCRYPT,
  filesIn,
  flipByte,
  newFolder,
  open,
  restic,
  tamper,
} from './restic.fixture.ts';
import { FaultyStorage } from './storage/faulty.ts';
import { LocalStorage } from './storage/local/local-storage.ts';
import { MemoryStorage } from './storage/memory.ts';

const password = new Secret('a password');

function create(storage: LocalStorage | MemoryStorage | FaultyStorage, secret = password) {
  return createRepository({ storage, password: secret, scrypt: FAST_SCRYPT });
}

describe('a repository that restic made', () => {
  test.each(['restic-0.14-max', 'restic-0.14-off'])('%s opens and reads', async (name) => {
    const repository = await open(await copyOfGolden(name), 'first password');
    const snapshots = await repository.snapshots.list();
    expect(snapshots.at(-1)).toMatchObject({
      hostname: 'golden',
      time: expect.stringMatching(/^2026-01-01T10:00:00/),
    });
    await repository.loadIndex();
    let blobs = 0;
    for (const pack of repository.index.packs()) {
      for (const blob of pack.blobs) {
        const bytes = await repository.readBlob(blob.type, blob.id);
        expect(bytes).toHaveLength(blob.plainLength);
        blobs += 1;
      }
    }
    expect(blobs).toBe(repository.index.blobCount);
    expect(blobs).toBeGreaterThan(10);
  });

  test('opens with any of its passwords, and with no other', async () => {
    const folder = await copyOfGolden('restic-0.14-max');
    const first = await open(folder, 'first password');
    const second = await open(folder, 'second password');
    expect(second.config).toEqual(first.config);
    expect(second.keys.current).not.toBe(first.keys.current);
    await expect(open(folder, 'third password')).rejects.toMatchObject({
      code: 'repository/wrong-password',
      kind: 'refused',
    });
  });

  test('opens while one of its key files is damaged', async () => {
    const folder = await copyOfGolden('restic-0.14-max');
    const { keys } = await open(folder, 'first password');
    await tamper(path.join(folder, 'keys', keys.current), flipByte(20));
    await expect(open(folder, 'first password')).rejects.toMatchObject({
      code: 'repository/wrong-password',
    });
    await open(folder, 'second password');
  });
});

describe('a repository that we make', () => {
  test('is one that restic takes, and shares', async () => {
    const folder = path.join(await newFolder(), 'made');
    const repository = await create(new LocalStorage(folder));
    const content = path.join(await newFolder(), 'content');
    await fs.writeFile(content, 'hello');
    await repository.sealed.write('points/a', Buffer.from('of no concern to restic'));
    await restic(folder, 'a password', ['backup', content, '--host', 'h']);
    expect(await restic(folder, 'a password', ['check', '--read-data'])).toContain('no errors');
    const [snapshot] = await repository.snapshots.list();
    expect(snapshot).toMatchObject({ paths: [content], hostname: 'h' });
    expect(JSON.parse(await restic(folder, 'a password', ['cat', 'config']))).toEqual({
      version: 2,
      id: repository.config.id,
      chunker_polynomial: repository.config.chunkerPolynomial,
    });
  });

  test('is never made over another one', async () => {
    const storage = new MemoryStorage();
    await create(storage);
    await expect(create(storage)).rejects.toMatchObject({ code: 'repository/repository-exists' });
  });

  test('is finished by the same call where making it broke off', async () => {
    const inner = new MemoryStorage();
    const faulty = new FaultyStorage(inner, [
      { on: 'write', name: /^config$/, fault: { kind: 'full' } },
    ]);
    await expect(create(faulty)).rejects.toMatchObject({ code: 'repository/storage-full' });
    await expect(openRepository({ storage: inner, password })).rejects.toMatchObject({
      code: 'repository/no-repository',
    });
    await expect(create(inner, new Secret('another'))).rejects.toMatchObject({
      code: 'repository/repository-exists',
    });
    const repository = await create(inner);
    expect(await repository.keys.list()).toHaveLength(1);
  });

  test('wants a password', async () => {
    await expect(create(new MemoryStorage(), new Secret(''))).rejects.toMatchObject({
      code: 'repository/empty-password',
    });
  });

  test('has a polynomial of its own, irreducible of degree 53', () => {
    const polynomial = newPolynomial();
    expect(isIrreducible(BigInt(`0x${polynomial}`))).toBe(true);
    expect(newPolynomial()).not.toBe(polynomial);
    // restic's own, and the same with one bit changed; (x+1) times something of degree 52.
    expect(isIrreducible(0x3da3358b4dc173n)).toBe(true);
    expect(isIrreducible(0x3da3358b4dc171n)).toBe(false);
  });
});

describe('what is no repository', () => {
  test('is said to be none', async () => {
    await expect(
      openRepository({ storage: new LocalStorage(await newFolder()), password }),
    ).rejects.toMatchObject({ code: 'repository/no-repository', kind: 'not-found' });
  });

  test('newer formats are refused, those of restic and our own', async () => {
    const storage = new MemoryStorage();
    const repository = await create(storage);
    await repository.sealed.write('points/a', Buffer.from('x'));
    await repository.sealed.write('format', Buffer.from('{"reader":1,"writer":2}'));
    const reader = await openRepository({ storage, password });
    expect((await reader.sealed.read('points/a')).toString()).toBe('x');
    await expect(reader.sealed.write('points/b', Buffer.from('y'))).rejects.toMatchObject({
      code: 'repository/newer-format',
    });
    await repository.sealed.write('format', Buffer.from('{"reader":2,"writer":2}'));
    await expect(openRepository({ storage, password })).rejects.toMatchObject({
      code: 'repository/newer-format',
    });

    const config = { version: 3, id: repository.config.id, chunker_polynomial: '25b468838dcb75' };
    const sealed = new Sealer(repository.masterKey).seal(Buffer.from(JSON.stringify(config)));
    await storage.write('config', [sealed]);
    await expect(openRepository({ storage, password })).rejects.toMatchObject({
      code: 'repository/newer-format',
      message: expect.stringContaining('is of format 3'),
    });
  });

  test('a damaged config and lost keys are named', async () => {
    const folder = await copyOfGolden('restic-0.14-off');
    await tamper(path.join(folder, 'config'), flipByte(30));
    await expect(open(folder, 'first password')).rejects.toMatchObject({
      code: 'repository/bad-config',
    });
    for (const file of await filesIn(path.join(folder, 'keys'))) {
      await fs.rm(path.join(folder, 'keys', file));
    }
    await expect(open(folder, 'first password')).rejects.toMatchObject({
      code: 'repository/no-keys',
    });
  });
});

describe('keys', () => {
  test('are added, changed and removed, and restic agrees', async () => {
    const folder = await copyOfGolden('restic-0.14-max');
    const repository = await open(folder, 'first password');
    const added = await repository.keys.add(new Secret('third'));
    expect(await restic(folder, 'third', ['key', 'list'])).toContain(added.slice(0, 8));
    await repository.keys.change(new Secret('changed'));
    await restic(folder, 'changed', ['snapshots']);
    await expect(open(folder, 'first password')).rejects.toMatchObject({
      code: 'repository/wrong-password',
    });
    await expect(repository.keys.remove(repository.keys.current)).rejects.toMatchObject({
      code: 'repository/key-in-use',
    });
    await expect(repository.keys.remove('ffffffff')).rejects.toMatchObject({
      code: 'repository/key-not-found',
    });
    expect(await repository.keys.remove(added.slice(0, 8))).toBe(added);
    await expect(open(folder, 'third')).rejects.toMatchObject({
      code: 'repository/wrong-password',
    });
    expect((await repository.keys.list()).filter(({ current }) => current)).toHaveLength(1);
  });
});
