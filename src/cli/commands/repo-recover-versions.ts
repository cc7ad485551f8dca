import type { CommandSpec } from '../command.ts';
import {
  locationFrom,
  passwordFrom,
  REPOSITORY_OPTIONS,
  storageFrom,
} from '../repository/session.ts';

const LOST_SHOWN = 50;

export const command: CommandSpec = {
  path: ['repo', 'recover-versions'],
  summary: 'bring a repository back from the versions that its bucket kept',
  options: [
    ...REPOSITORY_OPTIONS,
    [
      '--before <when>',
      'as it was then, such as before an attack; without it all that was ever good',
    ],
    ['--into <location>', 'write it there and leave the bucket as it is'],
    ['-n, --dry-run', 'show what it would do, and do nothing'],
  ],
  examples: [
    'holdfast repo recover-versions --repo s3:https://minio.example/backups/shop --dry-run',
    'holdfast repo recover-versions --repo s3:https://minio.example/backups/shop --before "2026-11-21 10:42" --into /srv/recovered',
  ],
  exits: {
    1: 'a storage failed',
    2: 'wrong usage, or a storage without versions',
    3: 'some files have no good version (named)',
    4: 'wrong password, or refused by the bucket',
    5: 'no such bucket',
  },
  async run(_args, options, io) {
    const { recoverVersions, openStorage } = await import('#repository');
    const { formatCounted, formatSize } = await import('#base');
    const beforeMs = await instantFrom(options.before);
    const password = await passwordFrom(options);
    const storage = await storageFrom(locationFrom(options), options);
    const into = typeof options.into === 'string' ? await openStorage(options.into) : undefined;
    try {
      const result = await recoverVersions({
        storage,
        password,
        ...(into && { into }),
        ...(beforeMs !== undefined && { beforeMs }),
        dryRun: options.dryRun === true,
        signal: io.signal,
        progress: io.progress,
      });
      for (const name of result.lost.slice(0, LOST_SHOWN))
        io.say(`✗ ${name}: no version of it is good`);
      const more = result.lost.length - LOST_SHOWN;
      if (more > 0) io.say(`  and ${formatCounted(more, 'more file')}`);
      const verb = options.dryRun === true ? 'would come' : 'came';
      const back = `${formatCounted(result.recovered, 'file')} ${verb} back (${formatSize(result.recoveredBytes)})`;
      io.say(
        `${result.lost.length > 0 ? '✗' : '✓'} ${back}, ${formatCounted(result.untouched, 'file')} untouched`,
      );
      const where = into ? into.location : storage.location;
      if (options.dryRun !== true)
        io.say(`\n  check it   holdfast repo check --read-data --repo ${where}`);
      io.result(result);
      return result.lost.length > 0 ? 3 : 0;
    } finally {
      await into?.close();
      await storage.close();
    }
  },
};

/** Only an instant: names of marks lie in the repository, which isn't there yet. */
async function instantFrom(text: unknown): Promise<number | undefined> {
  if (typeof text !== 'string') return undefined;
  const { systemClock } = await import('#base');
  const { parseWhen } = await import('../frame/when.ts');
  const { errors } = await import('../errors.ts');
  const when = parseWhen(text, systemClock.nowMs());
  if (when.kind === 'time') return when.atMs;
  throw errors.unparsableWhen([text, 'here it is a date and a time']);
}
