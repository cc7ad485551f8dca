/** A repository that operations are killed in, what was acknowledged in it, and what must hold of it at any time. */
import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { isHoldfastError, Secret } from '#base';
import { backupPaths } from '#capture';
import {
  createRepository,
  openRepository,
  openStorage,
  type Repository,
  type Storage,
} from '#repository';
import { FIXTURE_PASSWORD } from '../../../src/capture/journal/shipping.fixture.ts';
import { readFiles } from '../../../src/repository/saved-files.fixture.ts';
import type { Chance } from '../chance.ts';
import { SCRYPT } from '../sample.ts';
import { ChangingTree, difference, digestOf, type Manifest, manifestOf } from './tree.ts';
import type { Ended, Program } from './victim.ts';

const run = promisify(execFile);

/** Names of hosts, by which snapshots are grouped: of what is killed, and of who writes beside it. */
export const MAIN = 'main';
export const BESIDE = 'beside';

/** Quick to begin, and many packs. */
const WRITER = { workers: 1, packSizeBytes: 512 * 1024 };

export type Known = {
  id: string;
  host: string;
  manifest: Manifest;
  /** Somebody was told to remove it. */
  mayGo?: boolean;
};

export class World {
  readonly location: string;
  /** A folder of its own for whatever processes keep on this machine. */
  readonly scratch: string;
  readonly chance: Chance;
  readonly tree: ChangingTree;
  readonly beside: ChangingTree;
  /** Acknowledged, or found whole though nobody lived to say so; oldest first. */
  known: Known[] = [];
  password = FIXTURE_PASSWORD;
  /** How many were given to it after the first. */
  passwords = 0;
  /** Grows with each stretch of journal. */
  journalEnd = 0n;
  readonly failures: string[] = [];

  private constructor(location: string, scratch: string, chance: Chance) {
    this.location = location;
    this.scratch = scratch;
    this.chance = chance;
    this.tree = new ChangingTree(path.join(scratch, 'tree'), chance);
    this.beside = new ChangingTree(path.join(scratch, 'beside'), chance);
  }

  /** With parity, and one snapshot of each tree. */
  static async make(location: string, scratch: string, chance: Chance): Promise<World> {
    const world = new World(location, scratch, chance);
    await world.tree.fill();
    await world.beside.fill();
    const password = new Secret(world.password);
    const storage = await openStorage(location);
    const repository = await createRepository({ storage, password, scrypt: SCRYPT, cache: false });
    await repository.parity.change({ on: true, overhead: 0.03 });
    await repository.close();
    await world.backup(MAIN);
    await world.backup(BESIDE);
    return world;
  }

  /** Of processes: nothing of theirs lies outside the scratch folder. */
  get env(): Record<string, string> {
    return {
      HOLDFAST_REPOSITORY: this.location,
      HOLDFAST_PASSWORD: this.password,
      XDG_CACHE_HOME: path.join(this.scratch, 'cache'),
      // Of all together: it holds nothing of a repository.
      NODE_COMPILE_CACHE: path.join(path.dirname(this.scratch), 'compile'),
      HOME: this.scratch,
      NODE_NO_WARNINGS: '1',
    };
  }

  program(...words: string[]): Program {
    return { words: ['repo', ...words, '--json'], env: this.env };
  }

  backupProgram(host: string): Program {
    return this.program('backup', this.#treeOf(host).folder, '--host', host);
  }

  async open<T>(work: (repository: Repository, storage: Storage) => Promise<T>): Promise<T> {
    const storage = await openStorage(this.location);
    const password = new Secret(this.password);
    const repository = await openRepository({ storage, password, scrypt: SCRYPT, cache: false });
    try {
      return await work(repository, storage);
    } finally {
      await repository.close();
    }
  }

  async opensWith(password: string): Promise<boolean> {
    const storage = await openStorage(this.location);
    try {
      const repository = await openRepository({
        ...{ storage, cache: false, scrypt: SCRYPT },
        password: new Secret(password),
      });
      await repository.close();
      return true;
    } catch (error) {
      if (!isHoldfastError(error, 'repository/wrong-password')) throw error;
      return false;
    }
  }

  /** A changed tree in a new snapshot, by this process. */
  async backup(host: string): Promise<void> {
    const tree = this.#treeOf(host);
    await tree.change();
    await this.open(async (repository) => {
      const { snapshot } = await backupPaths(repository, [tree.folder], { host, writer: WRITER });
      this.known.push({ id: snapshot.id, host, manifest: tree.manifest() });
    });
  }

  /** Takes note of the snapshot that a backup acknowledged, if it lived to do so. */
  hearBackup(host: string, { stdout }: Ended): void {
    const id = /"snapshot":\s*"([0-9a-f]{64})"/.exec(stdout)?.[1];
    if (id === undefined) return;
    this.known.push({ id, host, manifest: this.#treeOf(host).manifest() });
  }

  /** Names of all files that are stored. */
  async stored(): Promise<string[]> {
    const storage = await openStorage(this.location);
    const names: string[] = [];
    for await (const { name } of storage.list('')) names.push(name);
    await storage.close();
    return names.sort();
  }

  /** restic finds nothing wrong, and what was acknowledged reads as it was: the newest of each host, or all. */
  async verify(reads: 'newest' | 'all'): Promise<void> {
    await this.resticCheck();
    await this.open(async (repository) => {
      await repository.loadIndex();
      const stored = await repository.snapshots.list();
      const ids = new Set(stored.map(({ id }) => id));
      for (const { id, mayGo } of this.known) {
        if (!ids.has(id) && !mayGo)
          this.failures.push(`snapshot ${id} was acknowledged and is gone`);
      }
      this.known = this.known.filter(({ id }) => ids.has(id));
      for (const { id, hostname } of stored) {
        if (this.known.some((known) => known.id === id) || !isHost(hostname)) continue;
        // Its writer was killed before it could say so, and its tree hasn't changed since.
        this.known.push({ id, host: hostname, manifest: this.#treeOf(hostname).manifest() });
      }
      const trees = new Map(stored.map(({ id, tree }) => [id, tree]));
      for (const known of reads === 'all' ? this.known : this.#newest()) {
        await this.#compare(repository, known, trees.get(known.id) ?? '');
      }
    });
  }

  async resticCheck(): Promise<void> {
    const env = { ...process.env, RESTIC_PASSWORD: this.password, HOME: this.scratch };
    const words = ['-r', this.location, '--no-cache', '--no-lock', 'check', '--read-data'];
    try {
      await run('restic', words, { env });
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      this.failures.push(`restic check: ${`${stdout}\n${stderr}`.trim().slice(-600)}`);
    }
  }

  /** By restic, into a folder that goes away. */
  async resticRestores({ id, host, manifest }: Known): Promise<void> {
    const target = path.join(this.scratch, 'by-restic');
    const env = { ...process.env, RESTIC_PASSWORD: this.password, HOME: this.scratch };
    const words = ['-r', this.location, '--no-cache', '--no-lock', 'restore', id, '-t', target];
    await run('restic', words, { env });
    const found = await manifestOf(path.join(target, this.#treeOf(host).folder));
    await fs.rm(target, { recursive: true });
    const wrong = difference(found, manifest);
    if (wrong) this.failures.push(`restic restores ${id} of ${host} otherwise: ${wrong}`);
  }

  async #compare(repository: Repository, known: Known, tree: string): Promise<void> {
    const below = `${this.#treeOf(known.host).folder.slice(1)}/`;
    const found = new Map<string, string>();
    for (const [name, read] of await readFiles(repository, tree)) {
      const digest = Buffer.isBuffer(read) ? digestOf(read) : String(read);
      found.set(name.startsWith(below) ? name.slice(below.length) : name, digest);
    }
    const wrong = difference(found, known.manifest);
    if (wrong) this.failures.push(`snapshot ${known.id} of ${known.host}: ${wrong}`);
  }

  #newest(): Known[] {
    const ofHost = (host: string) => this.known.findLast((known) => known.host === host);
    return [ofHost(MAIN), ofHost(BESIDE)].filter((known) => known !== undefined);
  }

  #treeOf(host: string): ChangingTree {
    return host === MAIN ? this.tree : this.beside;
  }
}

function isHost(name: string): boolean {
  return name === MAIN || name === BESIDE;
}
