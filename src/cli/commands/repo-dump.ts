import type { Dump } from '#recovery';
import type { CommandSpec, Io } from '../command.ts';
import { REPOSITORY_EXITS, REPOSITORY_OPTIONS, withRepository } from '../repository/session.ts';

const COMMAND = 'holdfast repo dump';

export const command: CommandSpec = {
  path: ['repo', 'dump'],
  summary: 'give out a file of a snapshot, or a folder as a tar archive',
  arguments: [
    ['<snapshot>', 'id, the beginning of one, or latest'],
    ['<path>', 'a file or a folder; / is all of it'],
  ],
  options: [
    ...REPOSITORY_OPTIONS,
    ['-t, --target <file>', 'write into this new file instead of standard output'],
    ['--archive', 'a single file as a tar archive, too'],
  ],
  examples: [
    'holdfast repo dump latest /srv/dump.sql --repo /srv/backup | psql orders',
    "holdfast repo dump latest /srv/media --repo /srv/backup | ssh web1 'tar -x --xattrs -C /srv/media'",
  ],
  exits: {
    ...REPOSITORY_EXITS,
    3: 'parts are lost in the repository: zeros stand there (named)',
    5: 'no such repository, snapshot or path in it',
  },
  async run([name, path], options, io) {
    const { errors } = await import('../errors.ts');
    const target = typeof options.target === 'string' ? options.target : undefined;
    if (io.json && target === undefined) {
      throw errors.usage(['--json needs --target: the bytes go to standard output', COMMAND]);
    }
    if (io.terminal && target === undefined) {
      throw errors.usage(['a terminal takes no raw bytes: pipe them on, or use --target', COMMAND]);
    }
    return await withRepository(options, async (repository) => {
      const { dump } = await import('#recovery');
      const snapshot = await repository.snapshots.find(String(name));
      await repository.loadIndex();
      const given = await dump({
        repository,
        tree: snapshot.tree,
        path: Buffer.from(String(path)),
        archive: options.archive === true,
        signal: io.signal,
      });
      const bytes =
        target === undefined ? await toOutput(given, io) : await toFile(given, target, io);
      return await report(given, bytes, target, io);
    });
  },
};

async function toOutput({ bytes }: Dump, io: Io): Promise<number> {
  let doneBytes = 0;
  for await (const piece of bytes) {
    await io.write(piece);
    doneBytes += piece.length;
  }
  return doneBytes;
}

/** Never over a file that is there; one that couldn't be finished is removed. */
async function toFile({ bytes }: Dump, target: string, io: Io): Promise<number> {
  const fs = await import('node:fs/promises');
  const { errors } = await import('../errors.ts');
  const { systemReason } = await import('../frame/failure.ts');
  const { systemCode } = await import('#base');
  const file = await fs.open(target, 'wx', 0o600).catch((cause: unknown) => {
    const why = systemCode(cause) === 'EEXIST' ? 'it is there already' : systemReason(cause);
    throw errors.usage([`${target} can't be made: ${why}`, COMMAND], { cause });
  });
  let doneBytes = 0;
  try {
    for await (const piece of bytes) {
      await file.writeFile(piece);
      doneBytes += piece.length;
      io.progress({ step: 'dump', doneBytes });
    }
    await file.close();
  } catch (error) {
    await file.close();
    await fs.rm(target, { force: true });
    throw error;
  }
  return doneBytes;
}

async function report(
  given: Dump,
  bytes: number,
  target: string | undefined,
  io: Io,
): Promise<0 | 3> {
  const { formatCount, formatSize } = await import('#base');
  const { kind, problems } = given;
  const problemCount = given.problemCount();
  const sockets = given.sockets();
  for (const { path, what } of problems) io.warn(`! ${path === '' ? '' : `${path}: `}${what}`);
  if (problemCount > problems.length) {
    io.warn(`! and ${formatCount(problemCount - problems.length)} more`);
  }
  if (sockets > 0)
    io.warn(`· ${formatCount(sockets)} sockets were left out: no archive holds them`);
  if (target !== undefined) io.say(`${formatSize(bytes)} written to ${target}.`);
  if (target !== undefined) io.result({ kind, target, bytes, problems, problemCount, sockets });
  return problemCount > 0 ? 3 : 0;
}
