import type { PhasedPruneResult, PruneResult, Repository } from '#repository';
import type { CommandSpec, Io } from '../command.ts';
import { REPOSITORY_EXITS, REPOSITORY_OPTIONS, withRepository } from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'prune'],
  summary: 'give back the space that no snapshot needs, beside backups',
  options: [
    ...REPOSITORY_OPTIONS,
    ['-n, --dry-run', 'show what it would do, and do nothing'],
    ['--now', 'all at once, which keeps backups waiting'],
    ['--grace <span>', 'how long what was marked is left alone (23h)'],
    ['--max-unused <percent>', 'space that may stay unused rather than be written anew (5%)'],
  ],
  examples: [
    'holdfast repo prune --repo /srv/backup',
    'holdfast repo prune --repo /srv/backup --now --dry-run',
  ],
  exits: {
    ...REPOSITORY_EXITS,
    3: 'backups never left it alone for a moment: run it again',
    6: 'it could not be had alone for a week',
  },
  async run(_args, options, io) {
    const { pruneInPhases, prune } = await import('#repository');
    const { maxUnused, graceMs } = await settingsFrom(options);
    const common = {
      dryRun: options.dryRun === true,
      maxUnused,
      progress: io.progress,
      signal: io.signal,
    };
    return await withRepository(options, async (repository: Repository) => {
      if (options.now === true) {
        const result = await prune(repository, common);
        await tellPruned(io, result);
        io.result(result);
        return 0;
      }
      const result = await pruneInPhases(repository, {
        ...common,
        ...(graceMs !== undefined && { graceMs }),
      });
      await tellPhases(io, result);
      io.result(result);
      if (result.finding !== undefined) return 6;
      return result.blocked ? 3 : 0;
    });
  },
};

async function settingsFrom(
  options: Record<string, unknown>,
): Promise<{ maxUnused: number; graceMs?: number }> {
  const { errors } = await import('../errors.ts');
  const { spanFrom } = await import('../frame/span.ts');
  const percent = /^(\d+(?:\.\d+)?)%?$/.exec(String(options.maxUnused ?? '5'))?.[1];
  if (percent === undefined) {
    throw errors.usage(['--max-unused wants a percentage such as 5%', 'holdfast repo prune']);
  }
  const maxUnused = Number(percent) / 100;
  if (options.grace === undefined) return { maxUnused };
  const spanOf = { option: '--grace', example: '23h', command: 'holdfast repo prune', leastMs: 0 };
  return { maxUnused, graceMs: spanFrom(options.grace, spanOf) };
}

async function tellPruned(io: Io, result: PruneResult): Promise<void> {
  const { formatCount, formatSize } = await import('#base');
  const would = result.dryRun ? 'would be ' : '';
  io.say(
    `${formatSize(result.freedBytes)} ${would}freed, ${formatSize(result.repackedBytes)} ${would}moved`,
  );
  io.say(
    `${formatCount(result.packsRemoved)} packs ${would}removed, ${formatCount(result.packsKept)} kept; ${formatSize(result.usedBytes)} in use`,
  );
  if (result.stillLocked > 0) {
    io.say(`${formatCount(result.stillLocked)} files are kept by the storage for a while yet`);
  }
}

async function tellPhases(io: Io, result: PhasedPruneResult): Promise<void> {
  const { formatCounted, formatDuration, formatSize } = await import('#base');
  const { swept, marked, blocked, nextSweepMs } = result;
  if (swept) {
    const alone = formatDuration(swept.exclusiveMs);
    io.say(
      `✓ swept: ${formatCounted(swept.packsRemoved, 'pack')} removed, ${formatCounted(swept.packsWritten, 'pack')} written; the repository was held alone for ${alone}`,
    );
    if (swept.packsSpared > 0) io.say(`  ${formatCounted(swept.packsSpared, 'pack')} stay`);
    if (swept.stillLocked > 0) {
      io.say(`  ${formatCounted(swept.stillLocked, 'file')} kept by the storage for a while yet`);
    }
  }
  if (marked) {
    const packs = formatCounted(marked.drop + marked.repack + marked.unindexed, 'pack');
    const verb = result.dryRun ? 'would be marked' : 'marked';
    io.say(
      `✓ ${packs} ${verb}: ${formatSize(marked.freedBytes)} can go, ${formatSize(marked.usedBytes)} in use`,
    );
  }
  if (blocked) io.say(`· the sweep waits: ${blocked.by}`);
  if (result.finding !== undefined) io.say(`✗ ${result.finding}`);
  if (nextSweepMs !== undefined && !blocked) {
    io.say(
      `  sweep due    ${new Date(nextSweepMs).toISOString().slice(0, 16)}Z, by the same command`,
    );
  }
  if (!swept && !marked && !blocked && nextSweepMs === undefined) io.say('✓ nothing to give back');
}
