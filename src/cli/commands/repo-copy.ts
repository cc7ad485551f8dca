import type { Secret } from '#base';
import type { CopyResult } from '#repository';
import type { CommandSpec, Io } from '../command.ts';
import { chooseSnapshots, SNAPSHOT_FILTER_OPTIONS } from '../repository/choose-snapshots.ts';
import {
  listOf,
  passwordIn,
  REPOSITORY_EXITS,
  REPOSITORY_OPTIONS,
  withRepository,
  withRepositoryAt,
} from '../repository/session.ts';

const COMMAND = 'holdfast repo copy';

export const command: CommandSpec = {
  path: ['repo', 'copy'],
  summary: 'copy snapshots, and all that is Holdfast’s own, from another repository',
  arguments: [['[snapshot...]', 'ids, beginnings of them, or latest; all when none is named']],
  options: [
    ...REPOSITORY_OPTIONS,
    ['--from <location>', 'the repository to copy from (or HOLDFAST_FROM_REPOSITORY)'],
    ['--from-password-file <file>', 'file that holds its password (or HOLDFAST_FROM_PASSWORD)'],
    ['--from-option <name=value...>', 'the same as --option, of the repository to copy from'],
    ...SNAPSHOT_FILTER_OPTIONS,
  ],
  examples: [
    'holdfast repo copy --from /srv/backup --from-password-file /etc/holdfast/a --repo /mnt/copy --password-file /etc/holdfast/b',
  ],
  exits: {
    ...REPOSITORY_EXITS,
    3: 'something is damaged in the source and was not copied (named)',
    4: 'wrong password, locked by another program, or a storage that can’t hold it',
  },
  async run([names], options, io) {
    const from = await sourceFrom(options);
    const isChoice =
      listOf(names).length > 0 || SNAPSHOT_FILTERS.some((option) => options[option] !== undefined);
    return await withRepository(options, (to) =>
      withRepositoryAt(
        from.location,
        from.password,
        async (source) => {
          const { copyRepository } = await import('#repository');
          const choose = () => chooseSnapshots(source, listOf(names), options);
          const result = await copyRepository(source, to, {
            ...(isChoice && { choose }),
            onWait: (why) => io.warn(`· ${why.message}; waiting a minute for its end`),
            progress: io.progress,
            signal: io.signal,
          });
          return await report(result, io);
        },
        { option: options.fromOption, cache: options.cache },
      ),
    );
  },
};

const SNAPSHOT_FILTERS = ['host', 'tag', 'path'];

async function sourceFrom(
  options: Record<string, unknown>,
): Promise<{ location: string; password: Secret }> {
  const { Secret } = await import('#base');
  const { errors } = await import('../errors.ts');
  const { HOLDFAST_FROM_REPOSITORY, HOLDFAST_FROM_PASSWORD } = process.env;
  const location = options.from ?? HOLDFAST_FROM_REPOSITORY;
  if (typeof location !== 'string' || location === '') {
    throw errors.usage(['--from names the repository to copy from', COMMAND]);
  }
  if (typeof options.fromPasswordFile === 'string') {
    return { location, password: await passwordIn(options.fromPasswordFile) };
  }
  if (HOLDFAST_FROM_PASSWORD) return { location, password: new Secret(HOLDFAST_FROM_PASSWORD) };
  const wanted = 'the password of --from: --from-password-file, or HOLDFAST_FROM_PASSWORD';
  throw errors.usage([`${wanted}, was not given`, COMMAND]);
}

async function report(result: CopyResult, io: Io): Promise<0 | 3> {
  const { formatCount, formatCounted, formatDuration, formatSize } = await import('#base');
  const { records } = result;
  for (const { id, why } of [...result.unreadable, ...result.damaged]) {
    io.warn(`! snapshot ${id.slice(0, 8)} was not copied: ${why}`);
  }
  for (const { name, why } of records.left) io.warn(`! ${name} was not copied: ${why}`);
  io.say(
    `${formatCounted(result.copied, 'snapshot')} copied, ${formatCount(result.present)} there already, in ${formatDuration(result.tookMs)}`,
  );
  io.say(
    `${formatSize(result.bytes)} in ${formatCounted(result.blobs, 'blob')}, stored as ${formatSize(result.storedBytes)}`,
  );
  const recordCount = records.copied + records.present;
  if (recordCount > 0) {
    io.say(
      `${formatCounted(records.copied, 'record')} of Holdfast copied, ${formatCount(records.present)} there already`,
    );
  }
  io.result({ ...result, tookMs: Math.round(result.tookMs) });
  const isWhole = [result.unreadable, result.damaged, records.left].every(
    (list) => list.length === 0,
  );
  return isWhole ? 0 : 3;
}
