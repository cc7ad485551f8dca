/** Against a real server with Object Lock: whoever steals a full key loses us nothing that was acknowledged. */
import { hash } from 'node:crypto';
import {
  PutBucketLifecycleConfigurationCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { randomBytes, Secret } from '#base';
import { checkRepository } from '../check/check.ts';
import { createRepository, openRepository } from '../open.ts';
import { pruneInPhases } from '../prune/phases.ts';
import { FAST_SCRYPT, newFolder, restic } from '../restic.fixture.ts';
import { readFiles, saveFiles } from '../saved-files.fixture.ts';
import { LocalStorage } from '../storage/local/local-storage.ts';
import type { S3Options } from '../storage/s3/options.ts';
import { S3Storage } from '../storage/s3/s3-storage.ts';
import {
  type S3TestServer,
  type S3TestUser,
  startS3TestServer,
} from '../storage/s3/test-server.ts';
import { ruinBucket, thiefOf } from '../storage/s3/test-thief.ts';
import type { Storage } from '../storage/storage.ts';
import { bucketPolicies } from './bucket-policies.ts';
import { extendLocks } from './extend-locks.ts';
import { recoverVersions } from './recover-versions.ts';

const PASSWORD = 'correct horse';
const DAY_MS = 86_400_000;

let server: S3TestServer;
/** The stolen key: it may do everything that the bucket's owner may. */
let thief: S3Client;
let options: S3Options;

beforeAll(async () => {
  server = await startS3TestServer({ daySeconds: 1 });
  for (const bucket of ['locked', 'extended'])
    await server.makeBucket(bucket, { objectLock: true });
  await server.makeBucket('plain');
  await server.makeBucket('added');
  const { accessKeyId, secretAccessKey } = server.user;
  options = { credentials: { accessKeyId, secretAccessKey: new Secret(secretAccessKey) } };
  thief = thiefOf(server);
});

afterAll(async () => {
  thief?.destroy();
  await server?.stop();
});

const open = (place: string, more: S3Options = {}) =>
  new S3Storage(`s3:${server.endpoint}/${place}`, { ...options, ...more });

const openAs = ({ accessKeyId, secretAccessKey }: S3TestUser, place: string) =>
  open(place, { credentials: { accessKeyId, secretAccessKey: new Secret(secretAccessKey) } });

async function made(storage: Storage) {
  const password = new Secret(PASSWORD);
  const repository = await createRepository({
    storage,
    password,
    scrypt: FAST_SCRYPT,
    cache: false,
  });
  const files = new Map([
    ['a', randomBytes(700_000)],
    ['folder/b', Buffer.from('small')],
    ['folder/c', randomBytes(300_000)],
  ]);
  const snapshot = await saveFiles(repository, files);
  await repository.sealed.write('points/shop/production/p1', Buffer.from('a point'));
  await repository.sealed.write('points/shop/production/p1', Buffer.from('the same, replaced'));
  const piece = 'journal/shop/production/db/pieces/00000001/0-1-2';
  await repository.sealed.write(piece, Buffer.from('a piece'));
  return { repository, files, snapshot, piece };
}

async function contents(storage: Storage): Promise<Map<string, Buffer>> {
  const all = new Map<string, Buffer>();
  for await (const { name } of storage.list('')) all.set(name, await storage.read(name));
  return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('a compliance-locked repository whose full key was stolen', () => {
  const lock = { mode: 'compliance', days: 2 } as const;
  let before: Map<string, Buffer>;
  let beforeMs: number;
  let saved: Awaited<ReturnType<typeof made>>;

  beforeAll(async () => {
    const storage = open('locked/shop', { lock });
    saved = await made(storage);
    before = await contents(storage);
    beforeMs = 0;
    for await (const { writtenMs } of storage.versions.list('')) {
      beforeMs = Math.max(beforeMs, writtenMs);
    }
    await saved.repository.close();
  });

  test('loses no version: neither removal nor a shorter lock is allowed', async () => {
    expect(before.size).toBeGreaterThan(8);
    expect(await ruinBucket(thief, 'locked')).toEqual({ destroyed: [], shortened: [] });
    const Key = `shop/snapshots/${'0'.repeat(64)}`;
    await thief.send(new PutObjectCommand({ Bucket: 'locked', Key, Body: 'junk' }));
    await expect(
      openRepository({ storage: open('locked/shop'), password: new Secret(PASSWORD) }),
    ).rejects.toThrow();
  });

  test('comes back whole into another storage', async () => {
    const folder = await newFolder();
    const into = new LocalStorage(folder);
    const source = { storage: open('locked/shop'), password: new Secret(PASSWORD) };
    const dry = await recoverVersions({ ...source, into, dryRun: true });
    expect(await contents(into)).toEqual(new Map());
    const result = await recoverVersions({ ...source, into });
    expect(result).toEqual(dry);
    expect(result).toMatchObject({ recovered: before.size, lost: [`snapshots/${'0'.repeat(64)}`] });
    expect(await contents(into)).toEqual(before);
    expect(await restic(folder, PASSWORD, ['check', '--read-data'])).toContain('no errors');
  });

  test('comes back whole in place, and restores', async () => {
    const source = { storage: open('locked/shop', { lock }), password: new Secret(PASSWORD) };
    await expect(
      recoverVersions({ ...source, password: new Secret('another') }),
    ).rejects.toMatchObject({ code: 'repository/wrong-password' });
    expect(await recoverVersions({ ...source, beforeMs })).toMatchObject({
      recovered: before.size,
      hidden: [`snapshots/${'0'.repeat(64)}`],
    });
    const storage = open('locked/shop', { lock });
    expect(await contents(storage)).toEqual(before);
    // Once more finds nothing to do.
    expect(await recoverVersions(source)).toMatchObject({ recovered: 0, untouched: before.size });
    const repository = await openRepository({
      storage,
      password: new Secret(PASSWORD),
      cache: false,
    });
    await repository.loadIndex();
    expect(await readFiles(repository, saved.snapshot.tree)).toEqual(saved.files);
    expect((await repository.sealed.read('points/shop/production/p1')).toString()).toBe(
      'the same, replaced',
    );
    await repository.close();
  });

  test('gives what it brought back the lock of new files', async () => {
    const { versions } = open('locked/shop', { lock });
    const until = async (name: string) => await versions.lockedUntilMs({ name });
    const left = (ms: number | undefined) => Math.round(((ms ?? 0) - Date.now()) / DAY_MS);
    expect(left(await until('config'))).toBe(2);
    expect(left(await until(`holdfast/${saved.piece}`))).toBe(1);
  });
});

describe('locks of what is in use', () => {
  test('are extended in time; missed ones and what was changed are told; nothing locked is removed', async () => {
    const lock = { mode: 'governance', days: 3 } as const;
    const storage = open('extended/shop', { lock });
    const { repository, snapshot, piece } = await made(storage);
    await repository.loadIndex();
    const { versions } = storage;
    const everyMs = DAY_MS;
    const untouched = await extendLocks(repository, { everyMs });
    // Pieces alone are locked for a day.
    expect(untouched).toMatchObject({ extended: 1, lapsed: [], changed: [] });
    const unused = await saveFiles(repository, new Map([['gone', randomBytes(50_000)]]));
    await expect(repository.snapshots.remove(unused.id)).rejects.toMatchObject({
      code: 'repository/still-locked',
    });
    const named = [...(await contents(storage)).keys()].filter((name) =>
      /^(data|index)/.test(name),
    );
    expect((await storage.removeAll(named)).sort()).toEqual(named);
    const all = await extendLocks(repository, { everyMs: 2 * DAY_MS });
    expect(all.extended).toBe(all.files);
    expect(all.lockedUntilMs).toBeGreaterThan(Date.now() + 3.9 * DAY_MS);

    const aPack = [...(await contents(storage)).keys()].find((name) => name.startsWith('data/'));
    if (!aPack) return expect.unreachable();
    const replaced = 'holdfast/points/shop/production/p1';
    for (const name of [aPack, replaced]) {
      await thief.send(
        new PutObjectCommand({ Bucket: 'extended', Key: `shop/${name}`, Body: 'x' }),
      );
    }
    const found = await extendLocks(repository, { everyMs });
    expect(found).toMatchObject({ extended: 2, changed: [aPack] });
    expect(found.lapsed.sort()).toEqual([aPack, replaced]);
    expect(await versions.lockedUntilMs({ name: replaced })).toBeGreaterThan(Date.now());
    expect(await repository.snapshots.load(snapshot.id)).toMatchObject({ tree: snapshot.tree });
    expect(await versions.lockedUntilMs({ name: `holdfast/${piece}` })).toBeGreaterThan(Date.now());
    await repository.close();
  });
});

describe('rights that only add, where the server enforces them', () => {
  let adder: S3TestUser;
  let keeper: S3TestUser;
  const place = 'added/shop';
  const opened = (user: S3TestUser) =>
    openRepository({ storage: openAs(user, place), password: new Secret(PASSWORD), cache: false });
  const stored = async () => {
    const names: string[] = [];
    for await (const { name } of openAs(keeper, place).list('')) names.push(name);
    return names.filter((name) => !name.startsWith('locks/')).sort();
  };

  beforeAll(async () => {
    [adder, keeper] = [await server.addUser(), await server.addUser()];
    const { appendOnly, maintenance } = bucketPolicies(`s3:${server.endpoint}/${place}`);
    await server.allow('added', [
      { user: adder, policy: appendOnly },
      { user: keeper, policy: maintenance },
    ]);
  });

  test('are enough to make a repository, to add to it, and to read and check it', async () => {
    const { repository, files, snapshot } = await made(openAs(adder, place));
    await saveFiles(repository, new Map([['more', randomBytes(100_000)]]));
    expect(await readFiles(repository, snapshot.tree)).toEqual(files);
    expect(await checkRepository(repository)).toMatchObject({ verdict: 'pass' });
    await repository.close();
  });

  test('remove nothing but locks', async () => {
    const storage = openAs(adder, place);
    for (const name of (await contents(storage)).keys()) {
      if (name.startsWith('locks/')) continue;
      await expect(storage.remove(name), name).rejects.toMatchObject({ code: 's3/denied' });
      await expect(storage.removeAll([name]), name).rejects.toMatchObject({ code: 's3/denied' });
    }
    const content = Buffer.from('a lock');
    const lock = `locks/${hash('sha256', content)}`;
    await storage.write(lock, [content]);
    await storage.remove(lock);
    expect(await storage.stat(lock)).toBeUndefined();
  });

  test('mark what can go, and move nothing for a sweep that they can not end', async () => {
    const adding = await opened(adder);
    const stays: [string, Buffer] = ['stays', randomBytes(100_000)];
    const goes = await saveFiles(adding, new Map([stays, ['goes', randomBytes(100_000)]]));
    const { tree } = await saveFiles(adding, new Map([stays]));
    await expect(adding.snapshots.remove(goes.id)).rejects.toMatchObject({ code: 's3/denied' });
    const keeping = await opened(keeper);
    await keeping.snapshots.remove(goes.id);
    const eager = { graceMs: 0, maxUnused: 0 };
    expect(await pruneInPhases(adding, eager)).toMatchObject({ marked: { repack: 1 } });
    const before = await stored();
    for (const _again of [1, 2]) {
      await expect(pruneInPhases(adding, eager)).rejects.toMatchObject({ code: 's3/denied' });
    }
    expect(await stored()).toEqual(before);
    expect(await pruneInPhases(keeping, eager)).toMatchObject({ swept: { packsRemoved: 2 } });
    await Promise.all([adding.close(), keeping.close()]);
    const again = await opened(adder);
    await again.loadIndex();
    expect(await readFiles(again, tree)).toEqual(new Map([stays]));
    expect(await checkRepository(again)).toMatchObject({ verdict: 'pass' });
    await again.close();
  });

  test('leave pieces of journals to a rule of the bucket, which takes nothing else', async () => {
    const folders = ['holdfast/journal/shop/production/db/pieces/'];
    const { lifecycle } = bucketPolicies(`s3:${server.endpoint}/${place}`, {
      pieceFolders: folders,
    });
    const before = await stored();
    const isPiece = (name: string) => folders.some((folder) => name.startsWith(folder));
    expect(before.some(isPiece)).toBe(true);
    await thief.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket: 'added',
        LifecycleConfiguration: lifecycle,
      }),
    );
    await expect
      .poll(stored, { timeout: 60_000, interval: 500 })
      .toEqual(before.filter((name) => !isPiece(name)));
  });
});

describe('a bucket', () => {
  test('that can lock nothing is refused with the command that mends it', async () => {
    const lock = { mode: 'governance', days: 7 } as const;
    await expect(open('plain/x', { lock }).write('config', [])).rejects.toMatchObject({
      code: 's3/versioning-off',
      guidance: expect.stringContaining(
        `aws s3api put-bucket-versioning --endpoint-url ${server.endpoint} --bucket plain --versioning-configuration Status=Enabled`,
      ),
    });
    await expect(
      recoverVersions({ storage: new LocalStorage('/nowhere'), password: new Secret('x') }),
    ).rejects.toMatchObject({ code: 'repository/no-versions' });
  });
});
