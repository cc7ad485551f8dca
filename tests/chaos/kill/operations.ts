/** What is killed. Each operation says what to do before, what is run, and what must hold after the kill and in the end. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { checkRepository, forget, openJournalReader } from '#repository';
import { journalBytes } from '../../../src/capture/journal/shipping.fixture.ts';
import { difference, manifestOf } from './tree.ts';
import type { Ended, Program } from './victim.ts';
import { BESIDE, MAIN, type World } from './world.ts';

export type Operation = {
  /** Makes work for it. */
  prepare(world: World): Promise<void>;
  program(world: World): Program;
  /** The run after the kill, where it isn't the same again. */
  again?(world: World): Program;
  /** After each run, killed or not: what it acknowledged, and what must hold whatever it did. */
  after?(world: World, ended: Ended): Promise<void>;
  /** After the run that nobody killed. */
  done?(world: World, ended: Ended): Promise<void>;
  /** With what another writer may be refused because of it. */
  refuses?: string;
  /** What it changes beside the repository. */
  folder?(world: World): string;
};

const SOURCE = path.resolve(import.meta.dirname, '../../../src');
const ADDRESS = { environment: 'shop', stage: 'test', store: 'orders' };
const STRETCH_BYTES = 14_000n;
const KEEP_LAST = 2;

const backup: Operation = {
  prepare: (world) => world.tree.change(),
  program: (world) => world.backupProgram(MAIN),
  after: async (world, ended) => world.hearBackup(MAIN, ended),
};

const journal: Operation = {
  async prepare(world) {
    world.journalEnd += STRETCH_BYTES;
  },
  program: (world) => ({
    file: path.join(SOURCE, 'capture/journal/shipping.fixture.ts'),
    words: [
      ...[world.location, path.join(world.scratch, 'spool'), ADDRESS.store],
      ...['none', '1', `${world.journalEnd}`],
    ],
    env: world.env,
  }),
  async after(world, { stdout }) {
    // The last line may be cut: what came before it was acknowledged.
    const lines = stdout.split('\n').slice(0, -1);
    const acknowledged = BigInt(lines.at(-1) ?? '0');
    await world.open(async (repository) => {
      const reader = openJournalReader(repository, ADDRESS);
      const end = (await reader.contiguousEnd({ line: 1, offset: 0n })) ?? 0n;
      if (end < acknowledged) world.failures.push(`journal to ${end}, told ${acknowledged}`);
      const parts: Buffer[] = [];
      for await (const part of reader.read(1, 0n, acknowledged)) parts.push(Buffer.from(part));
      if (!Buffer.concat(parts).equals(journalBytes(1, 0n, acknowledged))) {
        world.failures.push(`the journal to ${acknowledged} holds other bytes`);
      }
      const gaps = await reader.gaps();
      if (gaps.length > 0) world.failures.push(`the journal has gaps: ${JSON.stringify(gaps)}`);
    });
  },
  async done(world, { stdout }) {
    if (stdout.trim().split('\n').at(-1) !== `${world.journalEnd}`) {
      world.failures.push(`the journal was not shipped to its end: ${stdout.slice(-60)}`);
    }
  },
};

const forgetting: Operation = {
  async prepare(world) {
    for (let number = 0; number < 3; number += 1) await world.backup(MAIN);
  },
  program(world) {
    // From here on only what the policy keeps was promised. A backup that runs beside may be one more of its group.
    const kept = new Map([
      [MAIN, KEEP_LAST],
      [BESIDE, KEEP_LAST - 1],
    ]);
    for (const [at, known] of world.known.entries()) {
      const later = world.known.slice(at + 1).filter(({ host }) => host === known.host);
      known.mayGo = later.length >= (kept.get(known.host) ?? 0);
    }
    return world.program('forget', '--keep-last', String(KEEP_LAST));
  },
  async done(world) {
    const count = await world.open(
      async (repository) => (await repository.snapshots.list({ hosts: [MAIN] })).length,
    );
    if (count !== KEEP_LAST) world.failures.push(`${count} snapshots are left by forget`);
  },
};

const pruning = (...words: string[]): Operation => ({
  async prepare(world) {
    for (let number = 0; number < 2; number += 1) await world.backup(MAIN);
    await world.open((repository) => forget(repository, { last: 1 }));
    const newest = [MAIN, BESIDE].map((name) => world.known.findLast(({ host }) => host === name));
    world.known = world.known.filter((known) => newest.includes(known));
  },
  program: (world) => world.program('prune', '--max-unused', '0', ...words),
  done: (world) => world.resticCheck(),
});

const keys: Operation = {
  async prepare() {},
  // Who comes with the former password when it is gone.
  refuses: 'repository/wrong-password',
  program(world) {
    world.passwords += 1;
    return {
      file: path.join(import.meta.dirname, 'change-keys.ts'),
      words: [world.location],
      env: { ...world.env, NEXT_PASSWORD: `password ${world.passwords}` },
    };
  },
  async after(world, { stdout }) {
    const next = `password ${world.passwords}`;
    const [former, told] = [world.password, stdout.split('\n')];
    const opensWithNext = await world.opensWith(next);
    const opensWithFormer = await world.opensWith(former);
    if (opensWithNext) world.password = next;
    if (!opensWithNext && !opensWithFormer) world.failures.push('no password opens it any more');
    if (told.includes('changed') && !opensWithNext) world.failures.push('its change was told');
    if (told.includes('changed') && opensWithFormer) world.failures.push('the former one opens it');
    const colleagueCounts = told.includes('added') && !told.includes('changed');
    if (colleagueCounts && !(await world.opensWith(`${next}, for a colleague`))) {
      world.failures.push('the key for a colleague was told and opens nothing');
    }
  },
  async done(world) {
    const count = await world.open(async (repository) => (await repository.keys.list()).length);
    if (count !== 1) world.failures.push(`${count} keys are left`);
  },
};

const parity: Operation = {
  async prepare(world) {
    await world.backup(MAIN);
    await world.open(async (_repository, storage) => {
      for await (const { name } of storage.list('holdfast/parity/')) {
        if (world.chance.fraction() < 0.7) await storage.remove(name);
      }
    });
  },
  program: (world) => world.program('parity', 'write'),
  async done(world) {
    const report = await world.open((repository) =>
      checkRepository(repository, { readData: true }),
    );
    if (report.verdict !== 'pass' || report.mended.length > 0) {
      world.failures.push(`check: ${JSON.stringify([report.problems, report.mended])}`);
    }
  },
};

const restoring = (existing: 'nothing' | 'an older state'): Operation => {
  const target = (world: World) => path.join(world.scratch, 'restored');
  const program = (world: World, ...words: string[]) => {
    const { id } = world.known.findLast(({ host }) => host === MAIN) as { id: string };
    const place = ['--path', world.tree.folder, '--target', target(world)];
    return world.program('restore', id, ...place, ...words);
  };
  const update = (world: World) => program(world, '--existing', 'update', '--delete');
  return {
    async prepare(world) {
      if (existing === 'nothing') await fs.rm(target(world), { recursive: true, force: true });
      await world.backup(MAIN);
    },
    program: existing === 'nothing' ? program : update,
    again: update,
    async done(world) {
      const wanted = world.known.findLast(({ host }) => host === MAIN)?.manifest ?? new Map();
      const wrong = difference(await manifestOf(target(world)), wanted);
      if (wrong) world.failures.push(`restored otherwise: ${wrong}`);
    },
    folder: target,
  };
};

/** A further one is one line here. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  backup,
  'journal shipping': journal,
  forget: forgetting,
  'prune --now': pruning('--now'),
  'prune in phases': pruning('--grace', '0'),
  'key change': keys,
  'parity write': parity,
  restore: restoring('nothing'),
  'restore in place': restoring('an older state'),
};
