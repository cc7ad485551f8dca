/** `holdfast recover --table`: rows or tables of an instant into production, after a look at what would change. */
import fs from 'node:fs/promises';
import { systemClock } from '#base';
import type { When } from '#recovery';
import type { TablePreview, TableRequest, TablesResult, TablesWork } from '#sources';
import type { ExitCode, Io } from '../command.ts';
import { errors } from '../errors.ts';
import { systemReason } from '../frame/failure.ts';
import { parseWhen } from '../frame/when.ts';
import { listOf } from '../repository/session.ts';
import type { Options } from './access.ts';
import { type PartRequest, withServedPart } from './parts-served.ts';
import { agreeTo, oneStore, textOf, withParts } from './parts-session.ts';
import { wantedInstant } from './served.ts';
import { previewLines, takenLines } from './show-tables.ts';

const USAGE = 'holdfast recover';

/** Options of the one way don't silently mean nothing in the other. */
function refuseMixed(options: Options, tables: readonly string[]): void {
  const merges = options.merge === true;
  const wrong = [
    ['--update goes with --merge', options.update === true && !merges],
    ['--no-undo goes with --merge', options.undo === false && !merges],
    [
      '--where and --as go with one --table',
      tables.length > 1 && (options.where ?? options.as) !== undefined,
    ],
    ['--table goes without --path and --prefix', (options.path ?? options.prefix) !== undefined],
    ['--table goes without --in-place: production goes on running', options.inPlace === true],
    ['--overwrite goes with --path; of tables, see --merge --update', options.overwrite === true],
  ] as const;
  const [what] = wrong.find(([, isSo]) => isSo) ?? [];
  if (what !== undefined) throw errors.usage([what, USAGE]);
}

type Asked = Pick<TableRequest, 'tables' | 'where' | 'database'> & {
  into: 'new' | 'existing';
  as?: string;
};

function askedFrom(options: Options): Asked {
  const tables = listOf(options.table);
  refuseMixed(options, tables);
  const [where, as, database] = [options.where, options.as, options.database].map(textOf);
  return {
    tables,
    into: options.merge === true ? 'existing' : 'new',
    ...(where === undefined ? {} : { where }),
    ...(as === undefined ? {} : { as }),
    ...(database === undefined ? {} : { database }),
  };
}

/** An address with a password comes in a file, never in words that others could see. */
export async function productionUrl(options: Options): Promise<{ url?: string }> {
  const file = textOf(options.productionUrlFile);
  if (file === undefined) return {};
  try {
    return { url: (await fs.readFile(file, 'utf8')).split(/\r?\n/, 1)[0] ?? '' };
  } catch (cause) {
    throw errors.usage([`--production-url-file ${file}: ${systemReason(cause)}`, USAGE], { cause });
  }
}

export async function takeTables(options: Options, io: Io): Promise<ExitCode> {
  if (typeof options.to !== 'string') throw errors.usage(['--to says when', USAGE]);
  const asked = askedFrom(options);
  const when = parseWhen(options.to, systemClock.nowMs());
  const url = await productionUrl(options);
  const line = options.timeline === undefined ? undefined : Number(options.timeline);
  const served = await takeServed({ asked, when, url: url.url, line }, options, io);
  if (served !== undefined) return served;
  return await withParts(options, io, async (parts) => {
    const { choosePart, storeWithTables, withTables } = await import('#app/recovery');
    const store = oneStore(listOf(options.store), storeWithTables(parts.environment), USAGE);
    const choice = await choosePart(parts, when, [store], line);
    const atMs = choice.stores[0]?.selection.atMs ?? choice.instantMs;
    io.say(`${store} as of ${new Date(atMs).toISOString()}, ${choice.title}`);
    for (const note of choice.stores[0]?.selection.notes ?? []) io.say(`! ${store}: ${note}`);
    const request = {
      ...{ ...asked, ...url, store, choice, instantMs: atMs },
      update: options.update === true,
      undo: options.undo !== false,
    };
    return await withTables(parts, request, (work) =>
      decide(work, { ...asked, store }, options, io),
    );
  });
}

type Wanted = { asked: Asked; when: When; url: string | undefined; line: number | undefined };

/** Undefined where no control plane is to do it. */
async function takeServed(
  { asked, when, url, line }: Wanted,
  options: Options,
  io: Io,
): Promise<ExitCode | undefined> {
  const [store, ...others] = listOf(options.store);
  if (others.length > 0) throw errors.usage(['--store names the one store that is meant', USAGE]);
  const owner = textOf(options.owner);
  const request: PartRequest = {
    ...asked,
    tables: [...asked.tables],
    kind: 'tables',
    to: wantedInstant(when),
    update: options.update === true,
    undo: options.undo !== false,
    ...(store === undefined ? {} : { store }),
    ...(url === undefined ? {} : { productionUrl: url }),
    ...(line === undefined ? {} : { timeline: line }),
    ...(owner === undefined ? {} : { owner }),
  };
  return await withServedPart(request, options, io, async ({ part, apply }) => {
    const { store: named = '', atMs = 0, title = '', notes, tables = [] } = part;
    io.say(`${named} as of ${new Date(atMs).toISOString()}, ${title}`);
    for (const note of notes) io.say(`! ${named}: ${note}`);
    const work = { preview: tables, apply: async () => (await apply()).taken ?? { tables: [] } };
    return await decide(work, { ...asked, store: named }, options, io);
  });
}

async function decide(
  work: Pick<TablesWork, 'preview' | 'apply'>,
  asked: Asked & { store: string },
  options: Options,
  io: Io,
): Promise<ExitCode> {
  for (const line of previewLines(work.preview, asked.into, io.columns)) io.say(line);
  if (options.dryRun === true) {
    io.say('Dry run: nothing was written.');
    io.result({ store: asked.store, into: asked.into, preview: work.preview });
    return 0;
  }
  const isWork = work.preview.some((one) => one.inserts + one.updates > 0 || isNew(one, asked));
  if (isWork) await agreeTo(questionOf(work.preview, asked.into), options, io);
  const result: TablesResult = isWork ? await work.apply() : nothingDone(work.preview);
  for (const line of takenLines(result, asked)) io.say(line);
  io.result({ store: asked.store, into: asked.into, preview: work.preview, ...result });
  return 0;
}

/** An empty table is one too, unless it was made before. */
const isNew = (preview: TablePreview, { into }: Asked): boolean =>
  into === 'new' && preview.notes.length === 0;

const nothingDone = (preview: readonly TablePreview[]): TablesResult => ({
  tables: preview.map(({ table, target }) => ({ table, target, inserted: 0, updated: 0 })),
});

function questionOf(preview: readonly TablePreview[], into: Asked['into']): string {
  const names = preview.map(({ target }) => target).join(', ');
  return into === 'new'
    ? `This creates ${names} in production.`
    : `This changes ${names} in production.`;
}
