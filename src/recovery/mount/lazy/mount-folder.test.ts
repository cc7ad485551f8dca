import { execFileSync } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { madeMetadata, Secret } from '#base';
import {
  createRepository,
  encodeTree,
  openRepository,
  openStorage,
  openWriter,
  type TreeNode,
} from '#repository';
import { openLeftFolder } from './left-folder.ts';
import { type Mounting, mountingOf, type Writing } from './mounting.fixture.ts';
import { outcome, randomChange, randomNumbers } from './random-changes.fixture.ts';
import { deviceOf } from './writing-behind.ts';

const FILES: Record<string, Buffer> = {
  empty: Buffer.alloc(0),
  tiny: Buffer.from('a few bytes'),
  page: patterned(4096),
  uneven: patterned(123_457),
  large: patterned(700_001),
  zeros: Buffer.alloc(300_000),
};

function patterned(sizeBytes: number): Buffer {
  const random = randomNumbers(sizeBytes);
  return Buffer.from(Uint8Array.from({ length: sizeBytes }, () => random(256)));
}

let scratch: string;
let repository: string;
let mounting: Mounting;

const mount = (folder: string, writing?: Writing) => mounting.mount(folder, writing);
const unmount = () => mounting.unmount();

beforeAll(async () => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast lazy-'));
  repository = path.join(scratch, 'repository');
  mounting = mountingOf(repository, await saveFiles());
});
afterEach(async () => {
  await unmount();
});
afterAll(() => fs.rmSync(scratch, { recursive: true, force: true }));

/** Cut at 64 KiB, but for one whose blobs are uneven. Keeps a folder beside it that holds the same. */
async function saveFiles(): Promise<string> {
  const opened = await createRepository({
    storage: await openStorage(repository),
    password: new Secret('lazy'),
    scrypt: { N: 1024, r: 8, p: 1 },
  });
  const writer = await openWriter(opened, { workers: 1 });
  const nodes: TreeNode[] = [];
  for (const [name, bytes] of Object.entries(FILES).sort()) {
    const sizeBytes = name === 'uneven' ? 10_007 : 65_536;
    const { ids } = await writer.saveStream(once(bytes), { kind: 'fixed', sizeBytes });
    const metadata = madeMetadata('file', 0o644, 1_600_000_000_000_000_001n);
    nodes.push({
      ...metadata,
      name: Buffer.from(name),
      content: ids,
      sizeBytes: BigInt(bytes.length),
    });
  }
  const root = await writer.saveTree(encodeTree(nodes));
  await writer.finish();
  await opened.close();
  return root;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

/** A folder of its own, and one beside it that holds the same as ordinary files. */
function newPlaces(): { folder: string; lazy: string; plain: string } {
  const folder = fs.mkdtempSync(path.join(scratch, 'place-'));
  const plain = path.join(folder, 'plain');
  fs.mkdirSync(plain);
  for (const [name, bytes] of Object.entries(FILES))
    fs.writeFileSync(path.join(plain, name), bytes);
  return { folder, lazy: path.join(folder, 'mount'), plain };
}

/** Content, size and permissions of everything below, by path. */
function describeFolder(root: string): Record<string, string> {
  const described: Record<string, string> = {};
  for (const entry of fs.readdirSync(root, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    const stat = fs.lstatSync(file);
    const content = entry.isFile()
      ? createHash('sha256').update(fs.readFileSync(file)).digest('hex')
      : 'folder';
    const shown = `${(stat.mode & 0o7777).toString(8)} ${entry.isFile() ? stat.nlink : ''} ${stat.size}`;
    described[path.relative(root, file)] = entry.isFile() ? `${shown} ${content}` : content;
  }
  return described;
}

/** Without the mount, put together of what is on disk and of blobs; `takenOver`: bytes of which nothing was read here. */
async function leftOf(folder: string) {
  const storage = await openStorage(repository);
  const opened = await openRepository({ storage, password: new Secret('lazy') });
  await opened.loadIndex();
  const places = { files: path.join(folder, 'files'), state: path.join(folder, 'state') };
  const left = openLeftFolder(places, opened);
  return {
    async contentOf(name: string) {
      const parts: Buffer[] = [];
      let takenOver = 0;
      for await (const block of left.blocks(name, 65_536)) {
        const isHere = block.from === 'here';
        parts.push(isHere ? block.bytes : await opened.readBlob('data', block.id));
        if (!isHere) takenOver += block.sizeBytes;
      }
      return { bytes: Buffer.concat(parts), takenOver };
    },
    async close() {
      left.close();
      await opened.close();
    },
  };
}

function applySame(random: (below: number) => number, lazy: string, plain: string): string {
  const names = [...Object.keys(FILES), 'new-1', 'new-2', 'folder-0/moved-0'];
  const change = randomChange(random, names);
  expect(outcome(change, lazy), `${change}`).toEqual(outcome(change, plain));
  return `${change}`;
}

describe('a lazy folder', () => {
  it.runIf(process.getuid?.() === 0)(
    'lets the kernel hold back more than it would by itself',
    async () => {
      const { folder, lazy } = newPlaces();
      await mount(folder, 'behind');
      const device = deviceOf(lazy);
      expect(device).toMatch(/^\d+:\d+$/);
      const share = `/sys/class/bdi/${device}/max_ratio`;
      const isOurs = fs.statSync(share, { throwIfNoEntry: false })?.isFile() ?? false;
      if (isOurs) expect(Number(fs.readFileSync(share, 'utf8'))).toBeGreaterThan(1);
      expect(deviceOf(folder)).toBeUndefined();
    },
  );

  it('is complete at once and costs no room until it is written to', async () => {
    const { folder, lazy, plain } = newPlaces();
    await mount(folder);
    expect(describeFolder(lazy)).toEqual(describeFolder(plain));
    const taken = Number(
      execFileSync('du', ['-s', '-B1', path.join(folder, 'files')])
        .toString()
        .split('\t')[0],
    );
    expect(taken).toBeLessThan(20_000);
  });

  it('lists names and types alike where nobody looks at the entries', async () => {
    const { folder, lazy, plain } = newPlaces();
    await mounting.mount(folder, 'through', 'bare');
    for (const root of [lazy, plain]) {
      fs.mkdirSync(path.join(root, 'many'));
      fs.symlinkSync('tiny', path.join(root, 'link'));
      for (let n = 0; n < 300; n += 1) fs.writeFileSync(path.join(root, `many/number-${n}`), '');
    }
    const listed = (root: string) =>
      fs
        .readdirSync(root, { recursive: true, withFileTypes: true })
        .map((entry) => [entry.name, entry.isFile(), entry.isDirectory(), entry.isSymbolicLink()])
        .sort();
    expect(listed(lazy)).toEqual(listed(plain));
    expect(describeFolder(lazy)).toEqual(describeFolder(plain));
  });

  it('tells of what it left which blocks are as they were, and the bytes of the others', async () => {
    const seed = randomInt(2 ** 31);
    const random = randomNumbers(seed);
    const { folder, lazy, plain } = newPlaces();
    await mount(folder);
    for (let step = 0; step < 60; step += 1) applySame(random, lazy, plain);
    expect(describeFolder(lazy), `seed ${seed}`).toEqual(describeFolder(plain));
    await unmount();
    const left = await leftOf(folder);
    for (const name of fs.readdirSync(plain, { recursive: true }) as string[]) {
      const file = path.join(plain, name);
      if (!fs.lstatSync(file).isFile()) continue;
      const { bytes } = await left.contentOf(name);
      expect(bytes.equals(fs.readFileSync(file)), `seed ${seed}: ${name}`).toBe(true);
    }
    await left.close();

    const untouched = newPlaces();
    await mount(untouched.folder);
    await unmount();
    const whole = await leftOf(untouched.folder);
    const { bytes, takenOver } = await whole.contentOf('large');
    expect(bytes.equals(FILES.large as Buffer)).toBe(true);
    expect(takenOver).toBe(bytes.length);
    await whole.close();
  });

  it('answers random changes as ordinary files do, over remounts, kills and hydration', async () => {
    const seed = randomInt(2 ** 31);
    const random = randomNumbers(seed);
    const { folder, lazy, plain } = newPlaces();
    await mount(folder, 'behind');
    for (let round = 0; round < 8; round += 1) {
      for (let step = 0; step < 150; step += 1) applySame(random, lazy, plain);
      expect(describeFolder(lazy), `seed ${seed}, round ${round}`).toEqual(describeFolder(plain));
      if (round === 2) {
        await unmount();
        await mount(folder);
      }
      if (round === 4) {
        // What programs wrote went to the kernel; what is synced has reached the files.
        execFileSync('sync', ['-f', lazy]);
        await mounting.kill(folder);
        await mount(folder, 'behind');
      }
      if (round === 6) expect(await mounting.hydrate()).toBe('hydrated');
    }
    await unmount();
    expect(describeFolder(path.join(folder, 'files')), `seed ${seed}`).toEqual(
      describeFolder(plain),
    );
  });

  it('stands on its own as ordinary files once it is hydrated', async () => {
    const { folder, lazy, plain } = newPlaces();
    await mount(folder);
    fs.truncateSync(path.join(lazy, 'large'), 5000);
    fs.truncateSync(path.join(plain, 'large'), 5000);
    expect(await mounting.hydrate()).toBe('hydrated');
    await unmount();
    expect(describeFolder(path.join(folder, 'files'))).toEqual(describeFolder(plain));
  });

  it.each<Writing>(['through', 'behind'])(
    'holds what SQLite committed in WAL mode, written %s, over a kill',
    async (writing) => {
      const { folder, lazy } = newPlaces();
      await mount(folder, writing);
      const database = new DatabaseSync(path.join(lazy, 'database'));
      expect(database.prepare('pragma journal_mode = wal').get()).toEqual({ journal_mode: 'wal' });
      database.exec('pragma synchronous = full; create table numbers (n integer primary key)');
      for (let n = 0; n < 20; n += 1) database.exec('insert into numbers default values');
      await mounting.kill(folder);
      closeWhatIsLost(database);
      await mount(folder);
      const again = new DatabaseSync(path.join(lazy, 'database'));
      expect(again.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' });
      expect(again.prepare('select count(*) as n from numbers').get()).toEqual({ n: 20 });
      again.close();
    },
  );

  it('serves a clone and a status of git', async () => {
    const { folder, lazy, plain } = newPlaces();
    const git = (cwd: string, ...words: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...words], {
        cwd,
      }).toString();
    git(plain, 'init', '-q');
    git(plain, 'add', '.');
    git(plain, 'commit', '-q', '-m', 'first');
    await mount(folder);
    const clone = path.join(lazy, 'clone');
    git(lazy, 'clone', '-q', plain, clone);
    expect(git(clone, 'status', '--porcelain')).toBe('');
    fs.appendFileSync(path.join(clone, 'tiny'), 'more');
    expect(git(clone, 'status', '--porcelain')).toBe(' M tiny\n');
    expect(git(clone, 'fsck', '--no-progress')).toBe('');
  });
});

/** Its files went with the mount. */
function closeWhatIsLost(database: DatabaseSync): void {
  try {
    database.close();
  } catch {
    // What it wanted to write at last is lost, as with a kill of itself.
  }
}
