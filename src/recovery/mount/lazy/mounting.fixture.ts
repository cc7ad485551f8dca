/** For tests: mounts a tree by a process of its own (`mount.fixture.ts`), one at a time, and ends that in every way. */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { sleepMs } from '#base';

const GONE_WITHIN_MS = 20_000;

export type Writing = 'through' | 'behind';
/** `bare`: without extended attributes, as for a database. */
export type Kind = 'whole' | 'bare';

export type Mounting = {
  /** `folder`: gets `files`, `state` and `mount`. */
  mount(folder: string, writing?: Writing, kind?: Kind): Promise<void>;
  /** Brings everything here; resolves to `hydrated`, or to what is wrong. */
  hydrate(): Promise<string>;
  /** Nothing where nothing is mounted. */
  unmount(): Promise<void>;
  /** Resolves when the mount point is gone, too. */
  kill(folder: string): Promise<void>;
};

export function mountingOf(repository: string, tree: string): Mounting {
  let child: ChildProcess | undefined;
  let lines: AsyncIterator<string>;
  const nextLine = async () => String((await lines.next()).value);
  return {
    async mount(folder, writing = 'through', kind = 'whole') {
      const program = path.join(import.meta.dirname, 'mount.fixture.ts');
      const words = [program, repository, tree, folder, writing, kind];
      const started = spawn(process.execPath, words, {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      child = started;
      lines = readline.createInterface({ input: started.stdout })[Symbol.asyncIterator]();
      const said = await nextLine();
      if (said !== 'mounted') throw new Error(`the mount said "${said}"`);
    },
    async hydrate() {
      child?.stdin?.write('hydrate\n');
      return await nextLine();
    },
    async unmount() {
      const ending = child;
      child = undefined;
      if (!ending || ending.exitCode !== null) return;
      const ended = untilClosed(ending);
      ending.stdin?.end();
      await ended;
    },
    async kill(folder) {
      const ending = child as ChildProcess;
      child = undefined;
      const ended = untilClosed(ending);
      ending.kill('SIGKILL');
      await ended;
      const mountPoint = path.join(folder, 'mount').replaceAll(' ', '\\040');
      const mounts = () => fs.readFileSync('/proc/self/mounts', 'utf8');
      const until = performance.now() + GONE_WITHIN_MS;
      while (mounts().includes(mountPoint)) {
        if (performance.now() > until) throw new Error(`${mountPoint} stays mounted`);
        await sleepMs(10);
      }
    },
  };
}

function untilClosed(ending: ChildProcess): Promise<void> {
  return new Promise((resolve) => ending.once('close', () => resolve()));
}
