import type { FindQuery } from '#repository';
import type { CommandSpec, Io } from '../command.ts';
import { chooseSnapshots, SNAPSHOT_FILTER_OPTIONS } from '../repository/choose-snapshots.ts';
import {
  listOf,
  REPOSITORY_EXITS,
  REPOSITORY_OPTIONS,
  withRepository,
} from '../repository/session.ts';

const COMMAND = 'holdfast repo find';
const KINDS = { file: ['file'], dir: ['dir'], link: ['symlink'] } as const;

async function instantOf(text: unknown, flag: string): Promise<number | undefined> {
  if (text === undefined) return undefined;
  const { errors } = await import('../errors.ts');
  const { parseWhen } = await import('../frame/when.ts');
  const { systemClock } = await import('#base');
  const when = parseWhen(String(text), systemClock.nowMs());
  if (when.kind === 'time') return when.atMs;
  throw errors.usage([`--${flag} wants a time, such as 10:42 or "2d ago"`, COMMAND]);
}

async function idPrefixes(given: unknown, flag: string): Promise<string[] | undefined> {
  const { errors } = await import('../errors.ts');
  const prefixes = listOf(given).map((id) => id.toLowerCase());
  const wrong = prefixes.find((id) => !/^[0-9a-f]{4,64}$/.test(id));
  if (wrong !== undefined) {
    throw errors.usage([`--${flag} wants 4 to 64 hex digits, not "${wrong}"`, COMMAND]);
  }
  return prefixes.length > 0 ? prefixes : undefined;
}

async function queryFrom(patterns: unknown, options: Record<string, unknown>): Promise<FindQuery> {
  const { errors } = await import('../errors.ts');
  const { globsOf } = await import('../repository/globs.ts');
  const globs = await globsOf(patterns, COMMAND, { ignoreCase: options.ignoreCase === true });
  const newerMs = await instantOf(options.newer, 'newer');
  const olderMs = await instantOf(options.older, 'older');
  const blobs = await idPrefixes(options.blob, 'blob');
  const trees = await idPrefixes(options.tree, 'tree');
  const kinds = KINDS[options.kind as keyof typeof KINDS];
  if (options.kind !== undefined && !kinds) {
    throw errors.usage(['--kind is file, dir or link', COMMAND]);
  }
  if (globs.length === 0 && !blobs && !trees && newerMs === undefined && olderMs === undefined) {
    throw errors.usage(['say what to look for: a pattern, a time, --blob or --tree', COMMAND]);
  }
  return {
    patterns: globs,
    ...(kinds && { kinds }),
    ...(newerMs !== undefined && { newerMs }),
    ...(olderMs !== undefined && { olderMs }),
    ...(blobs && { blobs }),
    ...(trees && { trees }),
  };
}

export const command: CommandSpec = {
  path: ['repo', 'find'],
  summary: 'find files in all snapshots, by name, time or content',
  arguments: [['[pattern...]', 'names (*.sql) or paths (/srv/**/dump-*.gz)']],
  options: [
    ...REPOSITORY_OPTIONS,
    ['-s, --snapshot <id...>', 'look only in these'],
    ...SNAPSHOT_FILTER_OPTIONS,
    ['-i, --ignore-case', 'whatever the case of letters'],
    ['--kind <kind>', 'only file, dir or link'],
    ['--newer <time>', 'only what was changed after this time'],
    ['--older <time>', 'only what was changed before this time'],
    ['--blob <id...>', 'files that hold this blob (as repo check names it)'],
    ['--tree <id...>', 'directories with this tree'],
    ['-l, --long', 'with mode, owner, size and time'],
  ],
  examples: [
    "holdfast repo find '*.sql' --newer '2d ago' --repo /srv/backup",
    'holdfast repo find --blob 4f1b14b6 --repo /srv/backup',
  ],
  exits: {
    ...REPOSITORY_EXITS,
    3: 'some directories are damaged (named)',
    5: 'nothing was found, or no such repository or snapshot',
  },
  async run([patterns], options, io) {
    const query = await queryFrom(patterns, options);
    return await withRepository(options, async (repository) => {
      const { findEntries } = await import('#repository');
      const { showBytes } = await import('../repository/session.ts');
      const snapshots = await chooseSnapshots(repository, listOf(options.snapshot), options);
      await repository.loadIndex();
      let damaged = 0;
      const findings = findEntries(repository, snapshots, query, {
        signal: io.signal,
        onDamaged: (snapshot, path, error) => {
          damaged += 1;
          io.warn(`! ${snapshot.id.slice(0, 8)} ${showBytes(path) || '/'}: ${error.message}`);
        },
      });
      const found = await showFindings(findings, options.long === true, io);
      if (damaged > 0) return 3;
      return found === 0 ? 5 : 0;
    });
  },
};

async function showFindings(
  findings: AsyncIterable<import('#repository').Finding>,
  long: boolean,
  io: Io,
): Promise<number> {
  const { entryFacts, longText, pathText, timeText } = await import('../repository/show-entry.ts');
  let heading = '';
  let count = 0;
  for await (const { snapshot, path, node } of findings) {
    count += 1;
    if (heading !== snapshot.id) {
      if (heading !== '') io.say();
      const madeAt = timeText(BigInt(snapshot.timeMs) * 1_000_000n).replace('T', ' ');
      io.say(`${snapshot.id.slice(0, 8)}  ${madeAt}  ${snapshot.hostname}`);
      heading = snapshot.id;
    }
    io.say(`  ${long ? `${longText(node)} ` : ''}${pathText(path, node)}`);
    io.result({ snapshot: snapshot.id, ...entryFacts(path, node) });
  }
  if (count === 0) io.say('Nothing was found.');
  return count;
}
