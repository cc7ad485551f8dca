import type { RetentionPolicy } from '#repository';
import type { CommandSpec } from '../command.ts';
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
  const { parseDurationMs } = await import('#base');
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
    const spanMs = parseDurationMs(options.keepWithin);
    if (spanMs === undefined) {
      throw errors.usage(['--keep-within wants a span such as 30d', 'holdfast repo forget']);
    }
    policy.withinMs = spanMs;
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
    ['--keep-within <span>', 'keep everything younger than this (30d)'],
    ['--keep-tag <tags...>', 'keep what has these tags (a,b: both)'],
    ['--host <name...>', 'judge only snapshots of these hosts'],
    ['--tag <tags...>', 'judge only snapshots with these tags'],
    ['--path <path...>', 'judge only snapshots of these paths'],
    ['-n, --dry-run', 'show what stays and why, and remove nothing'],
    ['--prune', 'give the space back, too'],
  ],
  examples: ['holdfast repo forget --repo /srv/backup --keep-daily 7 --keep-weekly 5 --dry-run'],
  exits: { ...REPOSITORY_EXITS, 2: 'the policy would keep nothing, or wrong usage' },
  async run(_args, options, io) {
    const { forget, prune } = await import('#repository');
    const { tableLines } = await import('../frame/table.ts');
    const policy = await policyFrom(options);
    await withRepository(options, async (repository) => {
      const result = await forget(repository, policy, {
        dryRun: options.dryRun === true,
        filter: {
          hosts: listOf(options.host),
          tags: listOf(options.tag).map((tags) => tags.split(',')),
          paths: listOf(options.path),
        },
      });
      for (const group of result.groups) {
        const kept = group.keep.map(({ snapshot, reasons }) => ({
          snapshot,
          why: reasons.join(', '),
        }));
        const gone = group.remove.map((snapshot) => ({ snapshot, why: '' }));
        const rows = [...kept, ...gone]
          .sort((a, b) => b.snapshot.timeMs - a.snapshot.timeMs)
          .map(({ snapshot, why }) => ({
            mark: why === '' ? ('✗' as const) : ('✓' as const),
            cells: [
              snapshot.id.slice(0, 8),
              new Date(snapshot.timeMs).toISOString().slice(0, 19),
              why || 'removed',
            ],
          }));
        io.say(`${group.host ?? ''} ${group.paths?.join(' ') ?? ''}`.trim());
        const columns = [{ title: 'ID' }, { title: 'TIME (UTC)' }, { title: 'WHY', shrinkTo: 20 }];
        for (const line of tableLines(columns, rows, io.columns)) io.say(line);
        io.say();
      }
      io.say(
        `${result.kept} kept, ${result.removed} ${result.dryRun ? 'would be removed' : 'removed'}.`,
      );
      const pruned =
        options.prune && !result.dryRun
          ? await prune(repository, { progress: io.progress, signal: io.signal })
          : undefined;
      const groups = result.groups.map((group) => ({
        ...group,
        keep: group.keep.map(({ snapshot, reasons }) => ({ id: snapshot.id, reasons })),
        remove: group.remove.map(({ id }) => id),
      }));
      io.result({ ...result, groups, ...(pruned ? { pruned } : {}) });
    });
    return 0;
  },
};
