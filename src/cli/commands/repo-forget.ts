import type { ForgetGroup, ForgetResult, RetentionPolicy } from '#repository';
import type { CommandSpec, Io } from '../command.ts';
import {
  listOf,
  REPOSITORY_EXITS,
  REPOSITORY_OPTIONS,
  withRepository,
} from '../repository/session.ts';

const PERIODS = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;

/** `--keep-daily 7` arrives as `keepDaily`. */
const optionName = (period: string) => `keep${period[0]?.toUpperCase()}${period.slice(1)}`;

async function policyFrom(options: Record<string, unknown>): Promise<RetentionPolicy> {
  const { errors } = await import('../errors.ts');
  const { parseKeepSpan } = await import('#repository');
  const policy: RetentionPolicy = {};
  for (const period of PERIODS) {
    const text = options[optionName(period)];
    if (text === undefined) continue;
    const count = Number(text);
    if (!Number.isInteger(count) || count < -1) {
      throw errors.usage([
        `--keep-${period} wants a whole number, -1 for all`,
        'holdfast repo forget',
      ]);
    }
    policy[period] = count;
  }
  if (typeof options.keepWithin === 'string') {
    const within = parseKeepSpan(options.keepWithin);
    if (within === undefined) {
      const wanted = '--keep-within wants years, months, days and hours, such as 1y2m3d4h or 30d';
      throw errors.usage([wanted, 'holdfast repo forget']);
    }
    policy.within = within;
  }
  if (options.keepTag) policy.tags = listOf(options.keepTag).map((tags) => tags.split(','));
  return policy;
}

export const command: CommandSpec = {
  path: ['repo', 'forget'],
  summary: 'remove the snapshots that a policy does not keep',
  options: [
    ...REPOSITORY_OPTIONS,
    ...PERIODS.map((period) => [`--keep-${period} <n>`, `keep the ${period} n`] as const),
    ['--keep-within <span>', 'keep everything younger than this (1y2m3d4h; m is months)'],
    ['--keep-tag <tags...>', 'keep what has these tags (a,b: both)'],
    ['--host <name...>', 'judge only snapshots of these hosts'],
    ['--tag <tags...>', 'judge only snapshots with these tags'],
    ['--path <path...>', 'judge only snapshots of these paths'],
    ['-n, --dry-run', 'show what stays and why, and remove nothing'],
    ['--prune', 'mark what can go, too, or give it back (repo prune)'],
    ['--trust-clock', "go by this machine's clock although the storage's differs"],
  ],
  examples: ['holdfast repo forget --repo /srv/backup --keep-daily 7 --keep-weekly 5 --dry-run'],
  exits: {
    ...REPOSITORY_EXITS,
    2: 'the policy would keep nothing, or wrong usage',
    3: 'the storage keeps some files for a while yet',
    4: 'wrong password, locked by another program, or clocks disagree',
  },
  async run(_args, options, io) {
    const { forget, pruneInPhases } = await import('#repository');
    const policy = await policyFrom(options);
    return await withRepository(options, async (repository) => {
      const result = await forget(repository, policy, {
        dryRun: options.dryRun === true,
        trustClock: options.trustClock === true,
        filter: {
          hosts: listOf(options.host),
          tags: listOf(options.tag).map((tags) => tags.split(',')),
          paths: listOf(options.path),
        },
      });
      for (const group of result.groups) await showGroup(io, group);
      tellTotals(io, result);
      const pruned =
        options.prune && !result.dryRun
          ? await pruneInPhases(repository, { progress: io.progress, signal: io.signal })
          : undefined;
      const groups = result.groups.map((group) => ({
        ...group,
        keep: group.keep.map(({ snapshot, reasons }) => ({ id: snapshot.id, reasons })),
        remove: group.remove.map(({ id }) => id),
        future: group.future.map(({ id }) => id),
      }));
      io.result({ ...result, groups, ...(pruned ? { pruned } : {}) });
      return result.stillLocked > 0 ? 3 : 0;
    });
  },
};

async function showGroup(io: Io, group: ForgetGroup): Promise<void> {
  const { tableLines } = await import('../frame/table.ts');
  const future = new Set(group.future);
  const kept = group.keep.map(({ snapshot, reasons }) => ({
    snapshot,
    mark: future.has(snapshot) ? ('!' as const) : ('✓' as const),
    why: reasons.join(', '),
  }));
  const gone = group.remove.map((snapshot) => ({ snapshot, mark: '✗' as const, why: 'removed' }));
  const rows = [...kept, ...gone]
    .sort((a, b) => b.snapshot.timeMs - a.snapshot.timeMs)
    .map(({ snapshot, mark, why }) => ({
      mark,
      cells: [snapshot.id.slice(0, 8), new Date(snapshot.timeMs).toISOString().slice(0, 19), why],
    }));
  io.say(`${group.host ?? ''} ${group.paths?.join(' ') ?? ''}`.trim());
  const columns = [{ title: 'ID' }, { title: 'TIME (UTC)' }, { title: 'WHY', shrinkTo: 20 }];
  for (const line of tableLines(columns, rows, io.columns)) io.say(line);
  io.say();
}

function tellTotals(io: Io, result: ForgetResult): void {
  const verb = result.dryRun ? 'would be removed' : 'removed';
  io.say(`${result.kept} kept, ${result.removed} ${verb}.`);
  if (result.future > 0) {
    io.warn(
      `! ${result.future} dated in the future: kept, and counted for no period. Look at the clock of who wrote them.`,
    );
  }
  if (result.stillLocked > 0) {
    io.warn(`! ${result.stillLocked} are kept by the storage for a while yet.`);
  }
}
