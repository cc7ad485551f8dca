import type { BackupAhead } from '#capture/paths';
import type { Repository, Storage } from '#repository';
import type { CommandSpec, Io } from '../command.ts';
import {
  listOf,
  REPOSITORY_EXITS,
  REPOSITORY_OPTIONS,
  withRepository,
} from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'backup'],
  summary: 'back up files and folders as one snapshot',
  arguments: [['[path...]', 'files and folders']],
  options: [
    ...REPOSITORY_OPTIONS,
    ['-x, --exclude <pattern...>', 'leave these out (syntax of .gitignore)'],
    ['--one-file-system', 'stay on the file system of each path'],
    ['--tag <tag...>', 'put these tags on the snapshot'],
    ['--host <name>', 'another host name than this one'],
    ['--stdin', 'back up what comes on standard input, as one file'],
    ['--stdin-name <path>', 'what that file is called in the snapshot', 'stdin'],
    [
      '--fixed-chunks <size>',
      'cut files of 1 MiB and more every so many bytes (64KiB), not by content',
    ],
    ['--force', 'read every file again, whatever the last snapshot says'],
  ],
  examples: [
    'holdfast repo backup --repo /srv/backup /srv/media --exclude "*.tmp"',
    'pg_dump orders | holdfast repo backup --repo /srv/backup --stdin --stdin-name orders.sql',
  ],
  exits: { ...REPOSITORY_EXITS, 3: 'some files could not be read (named); the rest is stored' },
  async run([paths], options, io) {
    await requireEither(listOf(paths), options.stdin === true);
    if (options.stdin === true) return await backupStdin(options, io);
    const { formatCount, formatCounted, formatDuration, formatSize } = await import('#base');
    const fixedChunkBytes = await fixedChunksFrom(options.fixedChunks);
    const { signal } = io;
    const walk = {
      exclude: listOf(options.exclude),
      oneFileSystem: options.oneFileSystem === true,
      signal,
    };
    let ahead: BackupAhead | undefined;
    const work = async (repository: Repository): Promise<0 | 3> => {
      const { backupPaths } = await import('#capture/paths');
      const result = await backupPaths(repository, listOf(paths), {
        ...walk,
        ...(ahead && { ahead }),
        tags: listOf(options.tag),
        force: options.force === true,
        ...(fixedChunkBytes === undefined ? {} : { writer: { fixedChunkBytes } }),
        ...(typeof options.host === 'string' ? { host: options.host } : {}),
        onWait: (why) => io.warn(`· ${why.message}; waiting a minute for its end`),
        progress: io.progress,
      });
      const { totals, stats, problems, problemCount, snapshot } = result;
      for (const { path, what } of problems) io.warn(`! ${path}: ${what}`);
      io.say(
        `${formatCounted(totals.files, 'file')}, ${formatSize(totals.bytes)} in ${formatDuration(result.tookMs)}; ${formatSize(stats.newBytes)} new, stored as ${formatSize(stats.storedBytes)}`,
      );
      io.say(`Snapshot ${snapshot.id.slice(0, 8)}.`);
      if (problemCount > 0)
        io.say(`${formatCount(problemCount)} could not be captured whole (named above).`);
      io.result({
        snapshot: snapshot.id,
        parent: result.parent?.id,
        totals,
        stats,
        problems,
        problemCount,
        tookMs: Math.round(result.tookMs),
      });
      return problemCount > 0 ? 3 : 0;
    };
    const load = async () => {
      const { lookAhead, prepareBackup } = await import('#capture/paths');
      ahead = lookAhead(listOf(paths), walk);
      await prepareBackup();
    };
    return await withRepository(options, work, { load, threads: forFirstBackup });
  },
};

/** The first will have everything to store; most others next to nothing. */
async function forFirstBackup(storage: Storage): Promise<'sealing' | undefined> {
  // Asking would take a bucket longer than starting threads does.
  if (storage.isRemote) return undefined;
  for await (const _snapshot of storage.list('snapshots/')) return undefined;
  return 'sealing';
}

const COMMAND = 'holdfast repo backup';

async function requireEither(paths: readonly string[], stdin: boolean): Promise<void> {
  const { errors } = await import('../errors.ts');
  if (paths.length === 0 && !stdin)
    throw errors.usage(["missing required argument 'path' (or --stdin)", COMMAND]);
  if (paths.length > 0 && stdin) throw errors.usage(['give paths or --stdin, not both', COMMAND]);
  if (stdin && process.stdin.isTTY) {
    throw errors.usage(['--stdin wants a pipe or a file on standard input', COMMAND]);
  }
}

async function backupStdin(options: Record<string, unknown>, io: Io): Promise<0> {
  const { backupStream } = await import('#capture');
  const { formatDuration, formatSize } = await import('#base');
  return await withRepository(options, async (repository) => {
    const result = await backupStream(repository, process.stdin, {
      name: String(options.stdinName),
      tags: listOf(options.tag),
      ...(typeof options.host === 'string' ? { host: options.host } : {}),
      onWait: (why) => io.warn(`· ${why.message}; waiting a minute for its end`),
      progress: io.progress,
      signal: io.signal,
    });
    const { snapshot, sizeBytes, stats } = result;
    if (sizeBytes === 0) io.warn('· nothing came: the file in the snapshot is empty');
    io.say(
      `${formatSize(sizeBytes)} in ${formatDuration(result.tookMs)}; ${formatSize(stats.newBytes)} new, stored as ${formatSize(stats.storedBytes)}`,
    );
    io.say(`Snapshot ${snapshot.id.slice(0, 8)}.`);
    io.result({ snapshot: snapshot.id, sizeBytes, stats, tookMs: Math.round(result.tookMs) });
    return 0 as const;
  });
}

/** restic reads no chunk above 8 MiB; below 4 KiB trees would outgrow what they tell of. */
const BOUNDS = { least: 4 * 1024, most: 8 * 1024 * 1024 };

async function fixedChunksFrom(option: unknown): Promise<number | undefined> {
  if (option === undefined) return undefined;
  const { parseSizeBytes } = await import('#base');
  const { errors } = await import('../errors.ts');
  const bytes = parseSizeBytes(String(option));
  if (bytes !== undefined && bytes >= BOUNDS.least && bytes <= BOUNDS.most) return bytes;
  throw errors.usage(['--fixed-chunks is a size from 4KiB to 8MiB', 'holdfast repo backup']);
}
