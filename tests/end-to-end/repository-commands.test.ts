/** `holdfast repo …` in the hands of a new user: what can be wrong with a repository, and what is said of it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '#base';
import { createRepository, openRepository, openStorage, type Repository } from '#repository';
import { writeConfig } from '../../src/repository/config.ts';
import { Sealer } from '../../src/repository/crypto/sealer.ts';
import {
  type Ended,
  expectClearFailure,
  expectCode,
  type RunOptions,
  startHoldfast,
} from './command-line.ts';
import { waitFor } from './site/protected-site.ts';

const PASSWORD = 'correct horse';
const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
// Weak and quick: what is tested is not the strength of passwords.
const scrypt = { N: 1024, r: 8, p: 1 };

let scratch: string;
/** Small, of two files and a folder. */
let input: string;
/** Holds a snapshot of one file and one of all of `input`; copied by each test. */
let pristine: string;
const children: ChildProcess[] = [];

const inScratch = (...names: string[]) => path.join(scratch, ...names);

async function makeRepository(folder: string): Promise<Repository> {
  const storage = await openStorage(folder);
  return await createRepository({ storage, password: new Secret(PASSWORD), scrypt });
}

async function open(folder: string): Promise<Repository> {
  return await openRepository({
    storage: await openStorage(folder),
    password: new Secret(PASSWORD),
    scrypt,
  });
}

/** `holdfast repo …` on a repository, with the right password unless told otherwise. */
function repo(folder: string, words: readonly string[], options: RunOptions = {}) {
  const env = { HOLDFAST_PASSWORD: PASSWORD, HOLDFAST_REPOSITORY: folder, ...options.env };
  const running = startHoldfast(['repo', ...words], { ...options, env });
  children.push(running.child);
  return running;
}

const run = (folder: string, ...words: string[]): Promise<Ended> => repo(folder, words).ended;

let copies = 0;

/** A copy of the pristine repository, to be spoilt. */
function copyOfRepository(): string {
  copies += 1;
  const folder = inScratch(`copy ${copies}`);
  fs.cpSync(pristine, folder, { recursive: true });
  return folder;
}

const filesIn = (folder: string) =>
  fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));

/** The pack that holds the contents: by far the largest. */
const dataPack = (folder: string) =>
  filesIn(path.join(folder, 'data'))
    .sort((a, b) => fs.statSync(b).size - fs.statSync(a).size)
    .at(0) as string;

function restic(folder: string, ...words: string[]): string {
  const env = { ...process.env, RESTIC_PASSWORD: PASSWORD, RESTIC_REPOSITORY: folder };
  return execFileSync('restic', ['--no-cache', ...words], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** A small file system of its own; unmounted with the scratch folder. */
function mountSmall(name: string, sizeMib: number): string {
  const folder = inScratch(name);
  fs.mkdirSync(folder);
  execFileSync('mount', [
    '-t',
    'tmpfs',
    '-o',
    `size=${sizeMib}m,mode=755`,
    'holdfast-test',
    folder,
  ]);
  mounts.push(folder);
  return folder;
}

const mounts: string[] = [];

beforeAll(async () => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-commands-'));
  fs.chmodSync(scratch, 0o755);
  input = inScratch('input');
  fs.mkdirSync(path.join(input, 'media'), { recursive: true });
  fs.writeFileSync(path.join(input, 'media', 'film.bin'), randomBytes(300_000));
  fs.writeFileSync(path.join(input, 'about.txt'), 'remember\n');
  pristine = inScratch('pristine');
  await (await makeRepository(pristine)).close();
  // First alone, so that it lies in another pack than the film.
  expectCode(await run(pristine, 'backup', path.join(input, 'about.txt')), 0);
  expect(await run(pristine, 'backup', input)).toMatchObject({ code: 0, stderr: '' });
});

afterAll(() => {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  for (const folder of mounts) execFileSync('umount', ['--lazy', folder]);
  fs.rmSync(scratch, { recursive: true, force: true });
});

describe('a new user', () => {
  test('makes a repository, backs up, looks, checks and restores', async () => {
    const folder = inScratch('first');
    const made = await run(folder, 'init');
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect(made.stdout).toContain(`holdfast repo backup --repo ${folder} PATH`);
    expect(await run(folder, 'backup', input)).toMatchObject({ code: 0, stderr: '' });
    expect((await run(folder, 'snapshots')).stdout).toContain(input);
    const listed = await run(folder, 'ls', 'latest', input);
    expect(listed.stdout.split('\n')).toContain(path.join(input, 'media/film.bin'));
    expectCode(await run(folder, 'check', '--read-data'), 0);
    const target = inScratch('first restored');
    expectCode(await run(folder, 'restore', 'latest', '-t', target), 0);
    const film = 'media/film.bin';
    const back = fs.readFileSync(path.join(target, input, film));
    expect(back.equals(fs.readFileSync(path.join(input, film)))).toBe(true);
    expect(restic(folder, 'check', '--read-data')).toContain('no errors were found');
  });

  test.each([
    [['backup'], 2, /missing required argument 'path'/, /repo backup --help/],
    [['restore', 'latest'], 2, /--target/, /repo restore --help/],
    [['restore', 'latest', '-t', '/x', '--existing', 'maybe'], 2, /--existing is/, /--help/],
    [['chekc', '--repo', '/srv'], 2, /no command "repo chekc"/, /Did you mean "repo check"/],
    [['snapshots', '--tga', 'x'], 2, /unknown option '--tga'/, /repo snapshots --help/],
    [['forget'], 2, /keeps nothing/, /--keep-daily/],
    [['forget', '--keep-daily', 'some'], 2, /--keep-daily wants a whole number/, /--help/],
    [['keys', 'burn'], 2, /none of list, add, remove, change/, /repo keys --help/],
    [['keys', 'remove', 'ffff'], 5, /no key matches "ffff"/, /repo keys/],
    [['restore', 'feed', '-t', '/x'], 5, /no snapshot matches "feed"/, /repo snapshots/],
    [['ls', 'latest', '/nowhere'], 5, /holds no "\/nowhere"/, /repo ls/],
    [['backup', '/no/such/path'], 5, /\/no\/such\/path/, /Check the paths/],
  ])('is told what to do about %j', async (words, code, says, advises) => {
    expectClearFailure(await run(pristine, ...words), { code, says, advises });
  });
});

describe('a repository', () => {
  test('that is absent', async () => {
    const ended = await run(inScratch('nowhere'), 'snapshots');
    expectClearFailure(ended, { code: 5, says: /no repository in/, advises: /repo init/ });
    expect(fs.existsSync(inScratch('nowhere'))).toBe(false);
  });

  test('that is not named, or of a kind that is not known', async () => {
    const unnamed = await repo('', ['snapshots']).ended;
    expectClearFailure(unnamed, { code: 2, says: /no repository/, advises: /--repo/ });
    const strange = await run('gopher://hole', 'snapshots');
    expectClearFailure(strange, { code: 2, says: /"gopher:"/, advises: /Use a folder/ });
    const narrow = await run('rest:http://backup:8000/', 'snapshots');
    const wanted = {
      code: 2,
      says: /keeps only the folders that restic knows/,
      advises: /Use the/,
    };
    expectClearFailure(narrow, wanted);
    const later = await run('sftp:backup:/srv', 'snapshots');
    expectClearFailure(later, { code: 2, says: /not yet/, advises: /Use a folder/ });
  });

  test('that is there already', async () => {
    const ended = await run(pristine, 'init');
    expectClearFailure(ended, { code: 4, says: /already/, advises: /another place/ });
  });

  test('whose password is wrong, missing, or in a file that is not there', async () => {
    const wrong = await repo(pristine, ['ls', 'latest'], {
      env: { HOLDFAST_PASSWORD: 'tr0ub4dor' },
    }).ended;
    expectClearFailure(wrong, {
      code: 4,
      says: /opens none of the keys/,
      advises: /password-file/,
    });
    expect(wrong.stderr).not.toContain('tr0ub4dor');
    const none = await repo(pristine, ['snapshots'], { env: { HOLDFAST_PASSWORD: undefined } })
      .ended;
    expectClearFailure(none, { code: 2, says: /was not given/, advises: /HOLDFAST_PASSWORD/ });
    const file = await run(pristine, 'snapshots', '--password-file', inScratch('no file'));
    expectClearFailure(file, { code: 2, says: /no such file/, advises: /first line/ });
  });

  test('of a newer format', async () => {
    const folder = copyOfRepository();
    const repository = await open(folder);
    fs.rmSync(path.join(folder, 'config'));
    const config = { ...repository.config, version: 3 };
    await writeConfig(repository.storage, new Sealer(repository.masterKey), config);
    await repository.close();
    const ended = await run(folder, 'snapshots');
    expectClearFailure(ended, { code: 4, says: /of format 3/, advises: /newer Holdfast/ });
  });
});

describe('a locked repository', () => {
  /** restic itself in the middle of a backup: it reads what nobody writes. */
  async function resticAtWork(folder: string): Promise<ChildProcess> {
    const env = { ...process.env, RESTIC_PASSWORD: PASSWORD };
    const words = ['--no-cache', '-r', folder, 'backup', '--stdin'];
    const child = spawn('restic', words, { env, stdio: ['pipe', 'ignore', 'ignore'] });
    children.push(child);
    // Under a name that ends in `-tmp-…` it isn't one yet.
    const locked = () =>
      filesIn(path.join(folder, 'locks')).some((file) => /\/[0-9a-f]{64}$/.test(file));
    await waitFor(async () => locked(), "restic's lock");
    return child;
  }

  test('by a live process: says by whom, and unlock leaves it alone', async () => {
    const folder = copyOfRepository();
    const child = await resticAtWork(folder);
    const says = new RegExp(`locked by PID ${child.pid} of .* on `);
    for (const words of [
      ['prune', '--now'],
      ['forget', '--keep-last', '1'],
    ]) {
      expectClearFailure(await run(folder, ...words), { code: 4, says, advises: /Wait/ });
    }
    expect((await run(folder, 'unlock')).stdout).toBe('0 stale locks removed.\n');
    expect(filesIn(path.join(folder, 'locks'))).toHaveLength(1);
    const forced = await run(folder, 'unlock', '--all');
    expect(forced.stdout).toMatch(new RegExp(`^1 lock removed:\n  by PID ${child.pid} of `));
    expect(forced.stderr).toContain('Not all of them were stale');
    expect(filesIn(path.join(folder, 'locks'))).toHaveLength(0);
    // It would try for long to take its lock away itself.
    child.kill('SIGKILL');
    await waitFor(async () => child.signalCode !== null, 'restic to be dead');
    expect(await run(folder, 'prune', '--now')).toMatchObject({ code: 0, stderr: '' });
  });

  test('by a dead process: says so, and unlock removes it', async () => {
    const folder = copyOfRepository();
    const child = await resticAtWork(folder);
    child.kill('SIGKILL');
    await waitFor(async () => child.signalCode !== null, 'restic to be dead');
    expectClearFailure(await run(folder, 'prune', '--now'), {
      code: 4,
      says: new RegExp(`PID ${child.pid} .*seems to be gone`),
      advises: /holdfast repo unlock/,
    });
    expect((await run(folder, 'unlock')).stdout).toMatch(
      new RegExp(`^1 stale lock removed:\n  by PID ${child.pid} of .*\n$`),
    );
    expect(await run(folder, 'prune', '--now')).toMatchObject({ code: 0, stderr: '' });
  });

  test('is waited for by a backup, which says so and ends at Ctrl-C', async () => {
    const folder = copyOfRepository();
    const repository = await open(folder);
    const lock = await repository.lock('exclusive');
    const backup = repo(folder, ['backup', input]);
    let said = '';
    backup.child.stderr?.on('data', (text) => {
      said += text;
    });
    await waitFor(async () => said.includes('waiting'), 'the backup to wait');
    expect(said).toContain(`locked exclusively by PID ${process.pid}`);
    backup.child.kill('SIGINT');
    const ended = await backup.ended;
    expectCode(ended, 130);
    expect(ended.stderr.split('\n').filter((line) => line !== '')).toHaveLength(3);
    await lock.release();
    await repository.close();
    expect(await run(folder, 'backup', input)).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('a damaged repository', () => {
  /** Damage is named by check, the whole rest comes back, and the damaged file is named. */
  async function expectFilmLost(folder: string): Promise<void> {
    const checked = await run(folder, 'check', '--read-data');
    expect(checked).toMatchObject({ code: 6, stderr: '' });
    expect(checked.stdout).toContain(path.basename(dataPack(folder)));
    expect(checked.stdout).toMatch(/^ {2}[0-9a-f]{8} .*media\/film\.bin: .* lost$/m);
    const target = `${folder} restored`;
    const restored = await run(folder, 'restore', 'latest', '--target', target);
    expect(restored.code, restored.stderr).toBe(3);
    expect(restored.stderr).toMatch(/^! .*media\/film\.bin: damaged in the repository/m);
    expect(restored.stderr).not.toMatch(/^\s+at /m);
    expect(fs.readFileSync(path.join(target, input, 'about.txt'), 'utf8')).toBe('remember\n');
  }

  test('with a truncated pack', async () => {
    const folder = copyOfRepository();
    const pack = dataPack(folder);
    fs.chmodSync(pack, 0o600);
    fs.truncateSync(pack, fs.statSync(pack).size - 200_000);
    const quick = await run(folder, 'check');
    expectCode(quick, 6);
    expect(quick.stdout).toMatch(/is \d+ bytes long and not \d+/);
    await expectFilmLost(folder);
  });

  test('with a flipped byte in a pack', async () => {
    const folder = copyOfRepository();
    const pack = dataPack(folder);
    const bytes = fs.readFileSync(pack);
    const middle = bytes.length >> 1;
    bytes[middle] = (bytes[middle] as number) ^ 1;
    fs.chmodSync(pack, 0o600);
    fs.writeFileSync(pack, bytes);
    await expectFilmLost(folder);
  });

  test('without an index: it comes back from its copy; without that it is named, backups go on, and a repair makes it anew', async () => {
    const folder = copyOfRepository();
    const loseIndexes = () => {
      for (const file of filesIn(path.join(folder, 'index'))) fs.rmSync(file);
    };
    loseIndexes();
    const mended = await run(folder, 'check');
    expect(mended).toMatchObject({ code: 0, stdout: expect.stringMatching(/mended index\//) });
    fs.rmSync(path.join(folder, 'holdfast', 'copies'), { recursive: true });
    loseIndexes();
    const checked = await run(folder, 'check');
    expectCode(checked, 6);
    expect(checked.stdout).toMatch(/4 packs are in no index .*an index is missing/);
    const wanted = { code: 1, says: /is in no index/, advises: /holdfast repo check/ };
    expectClearFailure(await run(folder, 'restore', 'latest', '-t', inScratch('never')), wanted);
    const listed = await run(folder, 'ls', 'latest');
    expect(listed).toMatchObject({ code: 3, stderr: expect.stringMatching(wanted.says) });
    const prune = await run(folder, 'prune');
    expectClearFailure(prune, { code: 1, says: /nothing was pruned/, advises: /repo check/ });
    expect(await run(folder, 'backup', input)).toMatchObject({ code: 0, stderr: '' });
    const repaired = await run(folder, 'repair', 'index');
    expect(repaired).toMatchObject({ code: 0, stdout: expect.stringMatching(/right again/) });
    expect(restic(folder, 'check', '--read-data')).toContain('no errors were found');
    expectCode(await run(folder, 'check', '--read-data'), 0);
  });

  test('with a damaged config, or without keys: their copies stand in', async () => {
    const folder = copyOfRepository();
    fs.chmodSync(path.join(folder, 'config'), 0o600);
    fs.appendFileSync(path.join(folder, 'config'), 'x');
    const keyFolder = path.join(folder, 'keys');
    fs.rmSync(keyFolder, { recursive: true });
    expect(await run(folder, 'snapshots')).toMatchObject({ code: 0, stderr: '' });
    const mended = await run(folder, 'check');
    expect(mended).toMatchObject({ code: 0, stdout: expect.stringMatching(/mended config/) });
    expect(restic(folder, 'check')).toContain('no errors were found');
    fs.rmSync(path.join(folder, 'holdfast', 'copies'), { recursive: true });
    fs.chmodSync(path.join(folder, 'config'), 0o600);
    fs.appendFileSync(path.join(folder, 'config'), 'x');
    const config = await run(folder, 'snapshots');
    expectClearFailure(config, { code: 1, says: /config is not valid/, advises: /from a copy/ });
    fs.rmSync(keyFolder, { recursive: true });
    const keys = await run(folder, 'snapshots');
    expectClearFailure(keys, { code: 1, says: /without any usable key/, advises: /keys\// });
  });
});

describe.skipIf(!isRoot)('a full disk (needs root, to mount a small one)', () => {
  test('under the repository: nothing stored is lost, and with room the backup goes on', async () => {
    const disk = mountSmall('small disk', 12);
    const folder = path.join(disk, 'repository');
    await (await makeRepository(folder)).close();
    expectCode(await run(folder, 'backup', input), 0);
    const large = inScratch('large.bin');
    fs.writeFileSync(large, randomBytes(24 * 2 ** 20));
    const full = await run(folder, 'backup', large);
    expectClearFailure(full, { code: 1, says: /no space left/, advises: /Free some space/ });
    expect(filesIn(path.join(folder, 'locks'))).toEqual([]);
    expect(restic(folder, 'check', '--read-data', '--no-lock')).toContain('no errors were found');
    execFileSync('mount', ['-o', 'remount,size=64m', disk]);
    expect(await run(folder, 'backup', large)).toMatchObject({ code: 0, stderr: '' });
    expect(restic(folder, 'check', '--read-data')).toContain('no errors were found');
  });

  test('under the target of a restore', async () => {
    const disk = mountSmall('small target', 1);
    fs.writeFileSync(path.join(disk, 'filler'), randomBytes(800_000));
    const target = path.join(disk, 'restored');
    const ended = await run(pristine, 'restore', 'latest', '--target', target);
    expectClearFailure(ended, { code: 1, says: /no space left in/, advises: /another place/ });
  });
});

describe('a target', () => {
  test('that is not empty, or no folder', async () => {
    const full = await run(pristine, 'restore', 'latest', '--target', input);
    expectClearFailure(full, { code: 2, says: /is not empty/, advises: /does not exist yet/ });
    const file = await run(pristine, 'restore', 'latest', '-t', path.join(input, 'about.txt'));
    expectClearFailure(file, { code: 2, says: /is not a folder/, advises: /does not exist yet/ });
    expect(fs.readFileSync(path.join(input, 'about.txt'), 'utf8')).toBe('remember\n');
  });
});

describe.skipIf(!isRoot)('without permission (needs root, to become somebody else)', () => {
  const asNobody = (folder: string, ...words: string[]) => {
    const checkout = inScratch('checkout');
    fs.mkdirSync(checkout, { recursive: true });
    return repo(folder, words, { asUser: { uid: NOBODY, checkout } }).ended;
  };

  test('a repository is neither read nor made', async () => {
    const wanted = { code: 4, says: /permission denied/, advises: /right to read and write/ };
    expectClearFailure(await asNobody(pristine, 'snapshots'), wanted);
    expectClearFailure(await asNobody(inScratch('not mine'), 'init'), wanted);
    expect(fs.existsSync(inScratch('not mine'))).toBe(false);
  });

  test('what can be read is backed up and the rest is named; a target is not written to', async () => {
    const own = inScratch('of nobody');
    fs.mkdirSync(own);
    fs.chownSync(own, NOBODY, NOBODY);
    const folder = path.join(own, 'repository');
    expectCode(await asNobody(folder, 'init'), 0);
    const guarded = inScratch('guarded');
    fs.cpSync(input, guarded, { recursive: true });
    fs.chmodSync(path.join(guarded, 'media', 'film.bin'), 0o600);
    const backedUp = await asNobody(folder, 'backup', guarded);
    expectCode(backedUp, 3);
    expect(backedUp.stderr).toMatch(/^! .*media\/film\.bin: permission denied\n$/);
    const ended = await asNobody(folder, 'restore', 'latest', '--target', inScratch('theirs'));
    expectClearFailure(ended, { code: 4, says: /permission denied/, advises: /may write to/ });
  });
});

describe('a backup that is cut', () => {
  const LARGE_BYTES = 192 * 2 ** 20;
  let large: string;

  beforeAll(() => {
    large = inScratch('large');
    fs.mkdirSync(large);
    const piece = randomBytes(2 ** 20);
    const file = fs.openSync(path.join(large, 'all.bin'), 'w');
    for (let written = 0; written < LARGE_BYTES; written += piece.length) {
      piece.writeUInt32LE(written, 0);
      for (let at = 4; at < piece.length; at += 4096) piece.writeUInt32LE(written ^ at, at);
      fs.writeSync(file, piece);
    }
    fs.closeSync(file);
  });

  /** A backup of which some packs are stored and more are to come. */
  async function inTheMiddle(folder: string) {
    const packs = () => filesIn(path.join(folder, 'data')).length;
    const before = packs();
    const backup = repo(folder, ['backup', large]);
    await waitFor(async () => packs() > before, 'the first pack');
    expect(backup.child.exitCode).toBeNull();
    return backup;
  }

  const snapshotsOf = (folder: string) => fs.readdirSync(path.join(folder, 'snapshots')).length;

  test('by Ctrl-C ends with 130, leaves no lock and no snapshot, and the next one goes on', async () => {
    const folder = copyOfRepository();
    const backup = await inTheMiddle(folder);
    backup.child.kill('SIGINT');
    const ended = await backup.ended;
    expectClearFailure(ended, { code: 130, says: /^✗ interrupted$/m, advises: /goes on/ });
    expect(filesIn(path.join(folder, 'locks'))).toEqual([]);
    expect(snapshotsOf(folder)).toBe(2);
    expect(restic(folder, 'check', '--read-data')).toContain('no errors were found');
    expect(await run(folder, 'backup', large)).toMatchObject({ code: 0, stderr: '' });
    expect(snapshotsOf(folder)).toBe(3);
    expectCode(await run(folder, 'prune', '--now'), 0);
  });

  test('by two Ctrl-C ends at once, and what stays of it hinders nobody for long', async () => {
    const folder = copyOfRepository();
    const backup = await inTheMiddle(folder);
    backup.child.kill('SIGINT');
    backup.child.kill('SIGINT');
    expectCode(await backup.ended, 130);
    expectCode(await run(folder, 'unlock'), 0);
    expect(await run(folder, 'backup', input)).toMatchObject({ code: 0, stderr: '' });
    expect(restic(folder, 'check', '--read-data')).toContain('no errors were found');
  });

  test('by kill -9 leaves a clean repository, in which the next backup and prune go on', async () => {
    const folder = copyOfRepository();
    const backup = await inTheMiddle(folder);
    backup.child.kill('SIGKILL');
    await backup.ended;
    expect(restic(folder, 'check', '--read-data', '--no-lock')).toContain('no errors were found');
    expect(await run(folder, 'backup', large)).toMatchObject({ code: 0, stderr: '' });
    expect(await run(folder, 'unlock')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^1 stale lock removed:\n/),
    });
    expect(await run(folder, 'prune', '--now')).toMatchObject({ code: 0, stderr: '' });
    expect(restic(folder, 'check', '--read-data')).toContain('no errors were found');
  });
});
