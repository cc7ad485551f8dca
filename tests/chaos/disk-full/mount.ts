/**
 * No room where a mounted recovery keeps what was changed: a program is told so by the system's own error, the mount
 * lives on, reads cost no room, and what was synced stays, over a kill too.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { Secret, sleepMs, systemCode } from '#base';
import { createRepository, openStorage } from '#repository';
import { saveFiles } from '../../../src/repository/saved-files.fixture.ts';
import type { FullDiskTrials } from '../disk-full.ts';
import { SCRYPT } from '../sample.ts';

const FIXTURE = path.resolve(
  import.meta.dirname,
  '../../../src/recovery/mount/lazy/mount.fixture.ts',
);
/** The fixture's. */
const FIXTURE_PASSWORD = new Secret('lazy');
const REMOUNT_EVERY = 10;

export async function fullMount(trials: FullDiskTrials): Promise<void> {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-full-mount-'));
  const full = new FullMount(trials, path.join(home, 'repository'));
  try {
    await full.prepare();
    for (let number = 1; number <= trials.count; number += 1) {
      await full.trial(number === 1 ? 0 : trials.chance.below(12));
      if (number % REMOUNT_EVERY === 0) await full.remount();
    }
    await full.remount();
    await full.hydrateWithRoom();
    await full.remount();
  } finally {
    await full.unmount();
    fs.rmSync(home, { recursive: true, force: true });
  }
}

class FullMount {
  readonly #trials: FullDiskTrials;
  readonly #repository: string;
  readonly #place: string;
  readonly #files = new Map<string, Buffer>();
  #tree = '';
  #child: ChildProcess | undefined;
  #lines: AsyncIterator<string> | undefined;

  constructor(trials: FullDiskTrials, repository: string) {
    this.#trials = trials;
    this.#repository = repository;
    this.#place = trials.disk.place('recovery');
  }

  async prepare(): Promise<void> {
    const storage = await openStorage(this.#repository);
    const made = { storage, password: FIXTURE_PASSWORD, scrypt: SCRYPT };
    const repository = await createRepository(made);
    for (let number = 0; number < 12; number += 1) {
      this.#files.set(`file${number}`, this.#trials.chance.bytes(300_000 + number));
    }
    this.#tree = (await saveFiles(repository, this.#files)).tree;
    await repository.close();
    await this.#mount();
  }

  /** One write that may find no room, a look at everything, and the same write again with room. */
  async trial(roomPages: number): Promise<void> {
    const { chance, disk, figures, fail } = this.#trials;
    const [name, before] = chance.oneOf([...this.#files]);
    const data = chance.bytes(1 + chance.below(chance.oneOf([3_000, 60_000])));
    const at = chance.below(before.length - data.length);
    const after = Buffer.from(before);
    data.copy(after, at);
    disk.leave(roomPages * 4096);
    if (chance.fraction() < 0.3) await this.#hydrateWithoutRoom();
    try {
      this.#write(name, data, at);
      this.#files.set(name, after);
      figures.add('mount: room enough');
    } catch (error) {
      if (systemCode(error) !== 'ENOSPC') fail(`mount: a program saw ${systemCode(error)}`);
      figures.add('mount: no room, said so');
      this.#expectEither(name, before, after);
    }
    for (const [other, bytes] of this.#files) {
      if (other !== name && !this.#read(other).equals(bytes))
        fail(`mount, full: ${other} is wrong`);
    }
    disk.giveBack();
    this.#write(name, data, at);
    this.#files.set(name, after);
    if (!this.#read(name).equals(after)) fail(`mount, with room again: ${name} is wrong`);
  }

  /** To bring everything here takes more than there is; what came is right all the same. */
  async #hydrateWithoutRoom(): Promise<void> {
    const answer = await this.#hydrate();
    const files = path.join(this.#place, 'files');
    if (!answer.includes(`no space left in ${files}`)) this.#trials.fail(`mount: said "${answer}"`);
    this.#trials.figures.add('mount: no room to bring everything here, said so');
  }

  async hydrateWithRoom(): Promise<void> {
    const answer = await this.#hydrate();
    if (answer !== 'hydrated') this.#trials.fail(`mount, with room again: ${answer}`);
  }

  async #hydrate(): Promise<string> {
    this.#child?.stdin?.write('hydrate\n');
    return String((await this.#lines?.next())?.value);
  }

  /** By a kill: what was synced is on disk, and the map of it is right. */
  async remount(): Promise<void> {
    const { chance, fail, figures } = this.#trials;
    await (chance.fraction() < 0.5 ? this.unmount() : this.#kill());
    await this.#mount();
    for (const [name, bytes] of this.#files) {
      if (!this.#read(name).equals(bytes)) fail(`mount, mounted again: ${name} is wrong`);
    }
    figures.add('mount: mounted again');
  }

  #write(name: string, data: Buffer, at: number): void {
    const descriptor = fs.openSync(this.#mounted(name), 'r+');
    try {
      for (let done = 0; done < data.length; ) {
        done += fs.writeSync(descriptor, data, done, data.length - done, at + done);
      }
      fs.fsyncSync(descriptor);
    } finally {
      closeWhatFailed(descriptor);
    }
  }

  #read(name: string): Buffer {
    return fs.readFileSync(this.#mounted(name));
  }

  /** A write that failed may have come through in part, and changes nothing else. */
  #expectEither(name: string, before: Buffer, after: Buffer): void {
    const now = this.#read(name);
    const isEither = now.every((byte, at) => byte === before[at] || byte === after[at]);
    if (now.length !== before.length || !isEither)
      this.#trials.fail(`mount, full: ${name} is wrong`);
  }

  #mounted(name: string): string {
    return path.join(this.#place, 'mount', name);
  }

  async #mount(): Promise<void> {
    fs.mkdirSync(this.#place, { recursive: true });
    const words = [FIXTURE, this.#repository, this.#tree, this.#place];
    const child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    this.#lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const { value } = await this.#lines.next();
    if (value !== 'mounted') throw new Error(`the mount said "${value}"`);
  }

  async unmount(): Promise<void> {
    await this.#end((child) => child.stdin?.end());
  }

  async #kill(): Promise<void> {
    await this.#end((child) => child.kill('SIGKILL'));
  }

  async #end(how: (child: ChildProcess) => void): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child) return;
    if (child.exitCode === null) {
      const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
      how(child);
      await ended;
    }
    const mountPoint = path.join(this.#place, 'mount');
    while (fs.readFileSync('/proc/self/mounts', 'utf8').includes(` ${mountPoint} `)) {
      await sleepMs(20);
    }
  }
}

/** Closing writes what is left: its error has been told by then. */
function closeWhatFailed(descriptor: number): void {
  try {
    fs.closeSync(descriptor);
  } catch (error) {
    if (systemCode(error) !== 'ENOSPC') throw error;
  }
}
