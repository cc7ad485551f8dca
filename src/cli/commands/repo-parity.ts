import type { Repository } from '#repository';
import type { CommandSpec, ExitCode, Io } from '../command.ts';
import { REPOSITORY_EXITS, REPOSITORY_OPTIONS, withRepository } from '../repository/session.ts';

const ACTIONS = ['status', 'on', 'off', 'write'] as const;

async function showStatus(repository: Repository, io: Io): Promise<void> {
  const { listMends, parityStatus } = await import('#repository');
  const { formatCount, formatSize } = await import('#base');
  const setting = await repository.parity.setting();
  const status = await parityStatus(repository);
  const mends = await listMends(repository);
  io.say(setting.on ? `Parity is on, at ${setting.overhead * 100}%.` : 'Parity is off.');
  io.say(
    `${formatCount(status.covered)} of ${formatCount(status.packs)} packs have it: ${formatSize(status.parityBytes)} for ${formatSize(status.packBytes)} of packs`,
  );
  for (const { atMs, name, what } of mends.slice(-10)) {
    io.say(`  ${new Date(atMs).toISOString().slice(0, 16)} ${name}: ${what}`);
  }
  if (setting.on && status.covered < status.packs) {
    io.say('\n  make the rest   holdfast repo parity write');
  }
  io.result({ ...setting, ...status, mends });
}

async function writeAll(repository: Repository, io: Io): Promise<ExitCode> {
  const { writeMissingCopies, writeMissingParity } = await import('#repository');
  const { formatCounted, formatSize } = await import('#base');
  const copies = await writeMissingCopies(repository, io.signal);
  const written = await writeMissingParity(repository, io);
  io.say(
    `${formatCounted(written.packs, 'pack')} got parity (${formatSize(written.bytes)}); ${formatCounted(copies.files, 'second copy').replace('copys', 'copies')} written`,
  );
  for (const id of written.damaged) io.say(`✗ pack ${id} is damaged: it gets none`);
  if (written.damaged.length > 0) io.say('\n  what that costs   holdfast repo check --read-data');
  io.result({ ...written, copies });
  return written.damaged.length > 0 ? 3 : 0;
}

export const command: CommandSpec = {
  path: ['repo', 'parity'],
  summary: 'error correction: switch it on or off, show it, or make what is missing of it',
  arguments: [['[action]', 'status (default), on, off or write']],
  options: [
    ...REPOSITORY_OPTIONS,
    ['--overhead <percent>', 'what parity takes of what it protects, 1 to 50', '3'],
  ],
  examples: [
    'holdfast repo parity --repo /srv/backup',
    'holdfast repo parity on --overhead 5 --repo /srv/backup',
    'holdfast repo parity write --repo /srv/backup',
  ],
  exits: { ...REPOSITORY_EXITS, 3: 'done, but for packs that are damaged (named)' },
  async run([action = 'status'], options, io) {
    const { errors } = await import('../errors.ts');
    if (!ACTIONS.some((known) => known === action)) {
      throw errors.usage([
        `"${String(action)}" is none of ${ACTIONS.join(', ')}`,
        'holdfast repo parity',
      ]);
    }
    const overhead = Number(String(options.overhead).replace(/%$/, '')) / 100;
    return await withRepository(options, async (repository) => {
      if (action === 'write') return await writeAll(repository, io);
      if (action === 'status') {
        await showStatus(repository, io);
        return 0;
      }
      const setting = { on: action === 'on', overhead };
      await repository.parity.change(setting);
      io.say(
        setting.on
          ? `Packs get parity from now on, at ${overhead * 100}%.\n\n  for what is there already   holdfast repo parity write`
          : 'New packs get no parity any more; what there is goes on mending.',
      );
      io.result(setting);
      return 0;
    });
  },
};
