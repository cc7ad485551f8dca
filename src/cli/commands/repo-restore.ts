import path from 'node:path';
import type { Repository } from '#repository';
import type { CommandSpec } from '../command.ts';
import {
  listOf,
  REPOSITORY_EXITS,
  REPOSITORY_OPTIONS,
  withRepository,
} from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'restore'],
  summary: 'bring a snapshot, or a part of it, back to a folder',
  arguments: [['<snapshot>', 'id, the beginning of one, or latest']],
  options: [
    ...REPOSITORY_OPTIONS,
    ['-t, --target <folder>', 'where to; must be empty unless --existing says otherwise'],
    ['--path <path>', 'only this folder or file of the snapshot'],
    ['-i, --include <pattern...>', 'only these (syntax of .gitignore)'],
    ['-x, --exclude <pattern...>', 'all but these'],
    [
      '--existing <what>',
      'what to do with what is there: refuse, replace, update (write only what differs) or skip',
      'refuse',
    ],
    ['--delete', 'remove what the snapshot does not hold (with --existing replace or update)'],
    ['--owner <user>', 'give everything to this user'],
    ['--owner-by <what>', 'recorded owners by number or by name', 'number'],
  ],
  examples: [
    'holdfast repo restore latest --repo /srv/backup --target /tmp/back',
    'holdfast repo restore 1f2e --path /srv/media --target /srv/media-back',
    'holdfast repo restore latest --path /srv/media --target /srv/media --existing update --delete',
  ],
  exits: { ...REPOSITORY_EXITS, 3: 'some entries are not as they were recorded (named)' },
  async run([name], options, io) {
    const { errors } = await import('../errors.ts');
    const load = () => import('#recovery/restore');
    const { formatCounted, formatDuration, formatSize, systemClock } = await import('#base');
    if (typeof options.target !== 'string') {
      throw errors.usage(['--target says where to', 'holdfast repo restore']);
    }
    const usage = (what: string) => errors.usage([what, 'holdfast repo restore']);
    const existing = (['refuse', 'replace', 'update', 'skip'] as const).find(
      (what) => what === options.existing,
    );
    if (!existing) throw usage('--existing is refuse, replace, update or skip');
    const removeOthers = options.delete === true;
    if (removeOthers && existing !== 'replace' && existing !== 'update')
      throw usage('--delete goes with --existing replace or update');
    const ownerBy = (['number', 'name'] as const).find((what) => what === options.ownerBy);
    if (!ownerBy) throw usage('--owner-by is number or name');
    const target = path.resolve(options.target);
    const work = async (repository: Repository) => {
      const { restoreTree } = await load();
      const snapshot = await repository.snapshots.find(String(name));
      await repository.loadIndex();
      const begun = systemClock.monotonicMs();
      const result = await restoreTree({
        repository,
        tree: snapshot.tree,
        target,
        existing,
        removeOthers,
        ownerBy,
        inodeFlags: true,
        ...(typeof options.path === 'string' ? { subpath: options.path } : {}),
        ...(options.include ? { include: listOf(options.include) } : {}),
        ...(options.exclude ? { exclude: listOf(options.exclude) } : {}),
        ...(typeof options.owner === 'string' ? { owner: options.owner } : {}),
        progress: io.progress,
        signal: io.signal,
      });
      const tookMs = Math.round(systemClock.monotonicMs() - begun);
      for (const problem of result.problems) io.warn(`! ${problem.path}: ${problem.what}`);
      for (const note of result.notes) io.warn(`· ${note}`);
      io.say(
        `${formatCounted(result.files, 'file')}, ${formatSize(result.bytes)} restored to ${target} in ${formatDuration(tookMs)}${removed(result.removed)}`,
      );
      io.result({ snapshot: snapshot.id, target, tookMs, ...result });
      return result.problemCount > 0 ? 3 : 0;
    };
    const readsMuch = options.path === undefined && options.include === undefined;
    return await withRepository(options, work, {
      load,
      threads: async () => (readsMuch ? 'decode' : undefined),
    });
  },
};

const removed = (count: number): string => (count === 0 ? '' : `; ${count} removed`);
