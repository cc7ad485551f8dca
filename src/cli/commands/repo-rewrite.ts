import type { RewriteResult } from '#repository';
import type { CommandSpec, Io } from '../command.ts';
import { chooseSnapshots, SNAPSHOT_FILTER_OPTIONS } from '../repository/choose-snapshots.ts';
import {
  listOf,
  REPOSITORY_EXITS,
  REPOSITORY_OPTIONS,
  withRepository,
} from '../repository/session.ts';

const COMMAND = 'holdfast repo rewrite';

export const command: CommandSpec = {
  path: ['repo', 'rewrite'],
  summary: 'take files or folders out of snapshots that were made already',
  arguments: [['[snapshot...]', 'ids, beginnings of them, or latest; all when none is named']],
  options: [
    ...REPOSITORY_OPTIONS,
    ['-x, --exclude <pattern...>', 'what goes (syntax of .gitignore; / is the root)'],
    ...SNAPSHOT_FILTER_OPTIONS,
    ['--forget', 'remove the old snapshots; without it both stay'],
    ['-n, --dry-run', 'show what would change, and change nothing'],
  ],
  examples: [
    'holdfast repo rewrite --exclude /srv/media/private --repo /srv/backup --dry-run',
    'holdfast repo rewrite --exclude "*.iso" --forget --repo /srv/backup && holdfast repo prune --repo /srv/backup',
  ],
  exits: {
    ...REPOSITORY_EXITS,
    3: 'some snapshots hold it and stay as they are (named, with the reason)',
    5: 'no snapshot holds it, or no such repository or snapshot',
  },
  async run([names], options, io) {
    const { errors } = await import('../errors.ts');
    const patterns = listOf(options.exclude);
    if (patterns.length === 0) throw errors.usage(['--exclude says what goes', COMMAND]);
    return await withRepository(options, async (repository) => {
      const { rewriteSnapshots } = await import('#repository');
      const { compileExclusion } = await import('#sources/files');
      const leavesOut = compileExclusion(patterns);
      const result = await rewriteSnapshots(repository, {
        leavesOut: (path, isDirectory) => leavesOut?.(path, isDirectory) === true,
        choose: () => chooseSnapshots(repository, listOf(names), options),
        forget: options.forget === true,
        dryRun: options.dryRun === true,
        progress: io.progress,
        signal: io.signal,
      });
      return await report(result, options.forget === true, io);
    });
  },
};

async function report(result: RewriteResult, forget: boolean, io: Io): Promise<0 | 3 | 5> {
  const { formatCount, formatCounted } = await import('#base');
  const { tableLines } = await import('../frame/table.ts');
  const { rewritten, spared, dryRun } = result;
  for (const { snapshot, because } of spared) {
    io.warn(`! ${snapshot.id.slice(0, 8)} stays as it is: ${because}`);
  }
  const rows = rewritten.map(({ before, after, removed }) => ({
    cells: [
      before.id.slice(0, 8),
      after?.slice(0, 8) ?? '–',
      new Date(before.timeMs).toISOString().slice(0, 19).replace('T', ' '),
      formatCount(removed),
      before.paths.join(' '),
    ],
  }));
  const columns = [
    { title: 'OLD' },
    { title: 'NEW' },
    { title: 'TIME (UTC)' },
    { title: 'GOES', align: 'right' as const },
    { title: 'PATHS', shrinkTo: 12 },
  ];
  if (rows.length > 0) for (const line of tableLines(columns, rows, io.columns)) io.say(line);
  const verb = dryRun ? 'would be rewritten' : 'rewritten';
  io.say(
    `${formatCounted(rewritten.length, 'snapshot')} ${verb}, ${formatCount(result.untouched)} hold nothing of it.`,
  );
  if (rewritten.length > 0 && !dryRun) {
    io.say(
      forget
        ? '\n  give the space back   holdfast repo prune'
        : 'The old snapshots are kept: remove them with --forget, or with repo forget.',
    );
  }
  io.result({
    ...result,
    rewritten: rewritten.map(({ before, ...rest }) => ({ before: before.id, ...rest })),
    spared: spared.map(({ snapshot, because }) => ({ snapshot: snapshot.id, because })),
  });
  if (spared.length > 0) return 3;
  return rewritten.length === 0 ? 5 : 0;
}
