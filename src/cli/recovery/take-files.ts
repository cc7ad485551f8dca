/** `holdfast recover --path`: one file or folder of an instant back into production's folder, after a look. */
import { formatCounted, formatSize, systemClock } from '#base';
import type { FilesPreview, FilesRequest, FilesResult } from '#recovery';
import type { ExitCode, Io } from '../command.ts';
import { errors } from '../errors.ts';
import { parseWhen } from '../frame/when.ts';
import { listOf } from '../repository/session.ts';
import type { Options } from './access.ts';
import { type PartRequest, withServedPart } from './parts-served.ts';
import { agreeTo, oneStore, textOf, withParts } from './parts-session.ts';
import { wantedInstant } from './served.ts';

const USAGE = 'holdfast recover';

export async function takeFiles(from: string, options: Options, io: Io): Promise<ExitCode> {
  if (typeof options.to !== 'string') throw errors.usage(['--to says when', USAGE]);
  for (const [name, given] of Object.entries({
    where: options.where,
    merge: options.merge,
    update: options.update,
  })) {
    if (given !== undefined) throw errors.usage([`--${name} goes with --table`, USAGE]);
  }
  if (options.inPlace === true)
    throw errors.usage(['--in-place replaces a whole store: leave it out', USAGE]);
  const when = parseWhen(options.to, systemClock.nowMs());
  const as = textOf(options.as);
  const overwrite = options.overwrite === true;
  const store = oneStore(listOf(options.store), undefined, USAGE);
  const body: PartRequest = {
    ...{ kind: 'files', to: wantedInstant(when), store, from, overwrite },
    ...(as === undefined ? {} : { as }),
  };
  const served = await withServedPart(body, options, io, async ({ part, apply }) => {
    const { atMs = 0, title = '', files } = part;
    if (!files) throw new TypeError('a part that was looked up came without its preview');
    io.say(`${store} as of ${new Date(atMs).toISOString()}, ${title}`);
    return await decide({ store, overwrite, preview: files }, options, io, async () => {
      const { files: taken = files, kept, problems = [] } = await apply();
      return { ...taken, problems, ...(kept === undefined ? {} : { kept }) };
    });
  });
  if (served !== undefined) return served;
  return await withParts(options, io, async (parts) => {
    const { choosePart, filesPlace } = await import('#app/recovery');
    const choice = await choosePart(parts, when, [store]);
    const { atMs = choice.instantMs, from: origin = '' } = choice.stores[0]?.selection ?? {};
    const instant = new Date(atMs).toISOString();
    io.say(`${store} as of ${instant}, ${origin}`);
    const request: FilesRequest = {
      ...(await filesPlace(parts, store, choice)),
      ...{ repository: parts.repository, store, from, instant },
      ...(as === undefined ? {} : { as }),
      overwrite,
      ...{ progress: io.progress, signal: io.signal },
    };
    const { previewFiles, takeFiles: take } = await import('#recovery');
    const preview = await previewFiles(request);
    return await decide({ store, overwrite, preview }, options, io, () => take(request));
  });
}

type Shown = { store: string; overwrite: boolean; preview: FilesPreview };

async function decide(
  { store, overwrite, preview }: Shown,
  options: Options,
  io: Io,
  take: () => Promise<FilesResult>,
): Promise<ExitCode> {
  for (const line of previewLines(preview)) io.say(line);
  if (options.dryRun === true) {
    io.say('Dry run: nothing was written.');
    io.result({ store, preview });
    return 0;
  }
  const changes = preview.added + preview.replaced;
  const isAgreed = preview.replaced === 0 || overwrite;
  if (changes > 0 && isAgreed) {
    await agreeTo(`This writes ${formatCounted(changes, 'file')} to ${preview.to}.`, options, io);
  }
  const { problems, kept, ...done } = await take();
  for (const { path, what } of problems) io.warn(`! ${path}: ${what}`);
  io.say(
    changes === 0 ? 'Nothing was left to do.' : `${formatCounted(changes, 'file')} brought back.`,
  );
  if (kept !== undefined) io.say(`\n  What they replaced is kept in ${kept}`);
  io.result({
    store,
    preview: done,
    ...(kept === undefined ? {} : { kept }),
    problems,
  });
  return problems.length > 0 ? 3 : 0;
}

function previewLines({
  from,
  to,
  files,
  bytes,
  added,
  same,
  replaced,
  first,
}: FilesPreview): string[] {
  const marks = { added: '+', replaced: '~' } as const;
  const more = added + replaced - first.length;
  return [
    '',
    `${from === '' ? '/' : from} → ${to}: ${formatCounted(files, 'file')}, ${formatSize(bytes)}`,
    `  add ${added}, replace ${replaced}, same ${same} (by size and time)`,
    ...first.map(
      ({ path, change, sizeBytes }) => `  ${marks[change]} ${path}  ${formatSize(sizeBytes)}`,
    ),
    ...(more > 0 ? [`  … and ${more} more`] : []),
    '',
  ];
}
