import type { RepositoryReference } from '#environment';
import type { Survey } from '#repository';
import type { CommandSpec, Io } from '../command.ts';
import {
  locationFrom,
  passwordFrom,
  REPOSITORY_EXITS,
  REPOSITORY_OPTIONS,
  storageFrom,
} from '../repository/session.ts';

export const command: CommandSpec = {
  path: ['repo', 'adopt'],
  summary: 'take a repository that restic made into an environment’s protection',
  options: [
    ...REPOSITORY_OPTIONS,
    ['-f, --file <path>', 'the environment', 'holdfast.yaml'],
    ['--write', 'put the repository into that file; without it, its lines are shown'],
    ['--no-check', 'do not look whether everything is there'],
  ],
  examples: [
    'holdfast repo adopt --repo /srv/restic --password-file /etc/restic/password',
    'holdfast repo adopt --repo /srv/restic --password-file /etc/restic/password --write',
  ],
  exits: { ...REPOSITORY_EXITS, 6: 'something of it is damaged or missing (named)' },
  async run(_args, options, io) {
    const location = locationFrom(options);
    const survey = await look(location, options, io);
    await show(survey, io);
    const reference = await referenceFrom(location, options);
    const file = String(options.file);
    const written = options.write === true ? await writeInto(file, reference) : undefined;
    await showLines(reference, file, written, io);
    io.result({ ...survey, repository: reference, file, written: written ?? false });
    return survey.verdict === 'fail' ? 6 : 0;
  },
};

/** Through a storage in which nothing can be changed. */
async function look(location: string, options: Record<string, unknown>, io: Io): Promise<Survey> {
  const { openRepository, readOnly, surveyRepository } = await import('#repository');
  const password = await passwordFrom(options);
  const storage = readOnly(await storageFrom(location, options));
  const cache = options.cache === false ? { cache: false as const } : {};
  const repository = await openRepository({ storage, password, ...cache });
  try {
    return await surveyRepository(repository, {
      check: options.check !== false,
      signal: io.signal,
      progress: io.progress,
    });
  } finally {
    await repository.close();
  }
}

async function show(survey: Survey, io: Io): Promise<void> {
  const { formatCount, formatCounted, formatSize } = await import('#base');
  const { tableLines, wrapText } = await import('../frame/table.ts');
  const { firstMs, lastMs } = survey;
  const span =
    firstMs === undefined || lastMs === undefined ? '' : `, ${day(firstMs)} to ${day(lastMs)}`;
  io.say(`repository  ${survey.location} (${survey.id.slice(0, 8)}, format ${survey.format})`);
  io.say(`snapshots   ${formatCount(survey.snapshots)}${span}`);
  io.say(
    `stored      ${formatSize(survey.storedBytes)} in ${formatCounted(survey.packs, 'pack')}, ${formatCounted(survey.keys, 'key')}`,
  );
  for (const { by, stale } of survey.inUse) {
    const [first, ...more] = wrapText(
      `${by}${stale ? ' (its lock is stale)' : ''}`,
      io.columns - 12,
    );
    io.say(`in use      ${first}`);
    for (const line of more) io.say(`            ${line}`);
  }
  for (const { environment, stage, store } of survey.stores) {
    io.say(`protected   ${environment}/${stage}: ${store}`);
  }
  const rows = survey.groups.map(({ host, paths, tags, snapshots, lastMs: newestMs }) => ({
    cells: [host, formatCount(snapshots), day(newestMs), tags.join(','), paths.join(' ')],
  }));
  const columns = [
    { title: 'HOST', shrinkTo: 8 },
    { title: 'SNAPSHOTS', align: 'right' as const },
    { title: 'LAST' },
    { title: 'TAGS', shrinkTo: 8 },
    { title: 'PATHS', shrinkTo: 12 },
  ];
  if (rows.length > 0) {
    io.say();
    for (const line of tableLines(columns, rows, io.columns)) io.say(line);
  }
  io.say();
  for (const problem of survey.problems) io.say(`✗ ${problem}`);
  if (survey.verdict === 'pass') {
    io.say('✓ whole: every tree can be read, every pack is there with its size');
  } else if (survey.verdict === 'unknown') io.say('? whether it is whole was not checked');
  io.say('· when it was last checked, restic does not note; nothing of it was changed now');
}

const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);

/** As the file names it: never the password itself. */
async function referenceFrom(
  location: string,
  options: Record<string, unknown>,
): Promise<RepositoryReference> {
  const path = await import('node:path');
  const isFolder = !/^[a-zA-Z][a-zA-Z0-9+.-]+:/.test(location);
  const file = options.passwordFile ?? process.env.HOLDFAST_PASSWORD_FILE;
  const isFile =
    typeof file === 'string' && (options.passwordFile || !process.env.HOLDFAST_PASSWORD);
  return {
    url: isFolder ? path.resolve(location) : location,
    password: isFile ? `\${file:${path.resolve(file)}}` : `\${HOLDFAST_PASSWORD}`,
  };
}

/** Resolves to what happened to the file. */
async function writeInto(
  file: string,
  reference: RepositoryReference,
): Promise<'made' | 'changed' | 'same'> {
  const { existsSync } = await import('node:fs');
  const fs = await import('node:fs/promises');
  const path = await import('node:path');
  const { withRepository } = await import('#environment');
  const isThere = existsSync(file);
  const folder = path.dirname(path.resolve(file));
  const text = isThere ? await fs.readFile(file, 'utf8') : await starterFor(folder);
  const changed = withRepository(file, text, reference);
  if (changed === undefined) return 'same';
  if (isThere) {
    const { writeFileDurably } = await import('#base');
    const { mode } = await fs.stat(file);
    await writeFileDurably(file, changed, { mode: mode & 0o777 });
    return 'changed';
  }
  await fs.writeFile(file, changed, { flag: 'wx', mode: 0o644 });
  return 'made';
}

async function starterFor(folder: string): Promise<string> {
  const { prepareStarter } = await import('../write-starter.ts');
  return (await prepareStarter(folder, process.env)).text;
}

async function showLines(
  reference: RepositoryReference,
  file: string,
  written: 'made' | 'changed' | 'same' | undefined,
  io: Io,
): Promise<void> {
  const { repositoryLines } = await import('#environment');
  io.say();
  if (written === 'made') io.say(`${file} was made, with this repository.`);
  else if (written === 'changed') io.say(`${file} has this repository now.`);
  else if (written === 'same') io.say(`${file} has this repository already.`);
  else {
    io.say(`These lines take it into ${file} (--write puts them there):`);
    io.say();
    for (const line of repositoryLines(reference).trimEnd().split('\n')) io.say(line);
  }
  io.say();
  io.say('  see what it would protect   holdfast plan');
}
