/** `holdfast diff`: what differs between two instants, table by table and file by file. */
import { formatCount, systemClock } from '#base';
import type { StoreDifference, When } from '#recovery';
import type { ExitCode, Io } from '../command.ts';
import { parseWhen } from '../frame/when.ts';
import { listOf } from '../repository/session.ts';
import type { Options } from './access.ts';
import { type PartRequest, withServedPart } from './parts-served.ts';
import { oneStore, textOf, withParts } from './parts-session.ts';
import { wantedInstant } from './served.ts';

const USAGE = 'holdfast diff';

export async function diff(
  beforeText: string,
  afterText: string,
  options: Options,
  io: Io,
): Promise<ExitCode> {
  const nowMs = systemClock.nowMs();
  const [before, after] = [parseWhen(beforeText, nowMs), parseWhen(afterText, nowMs)];
  const tables = options.table === undefined ? undefined : listOf(options.table);
  const database = textOf(options.database);
  const served = await diffServed({ before, after, tables, database }, options, io);
  if (served !== undefined) return served;
  return await withParts<ExitCode>(options, io, async (parts) => {
    const { choosePart, passingOptions, storeWithTables } = await import('#app/recovery');
    const { compareInstants, recoveryErrors } = await import('#recovery');
    const named = options.store === undefined ? undefined : listOf(options.store);
    const stores =
      tables === undefined
        ? named
        : [oneStore(named ?? [], storeWithTables(parts.environment), USAGE)];
    const [one, two] = [
      await choosePart(parts, before, stores),
      await choosePart(parts, after, stores),
    ];
    if (one.instantMs > two.instantMs) {
      throw recoveryErrors.spanEmpty([iso(one.instantMs), iso(two.instantMs)]);
    }
    const telling = tellDifferences(one.instantMs, two.instantMs, options, io);
    await compareInstants(
      {
        ...{ before: one, after: two },
        ...(tables && { tables }),
        ...(database === undefined ? {} : { database }),
        onDifference: telling.found,
      },
      await passingOptions(parts),
    );
    telling.end();
    return 0;
  });
}

type Asked = {
  before: When;
  after: When;
  tables: string[] | undefined;
  database: string | undefined;
};

/** Undefined where no control plane is to do it. */
async function diffServed(
  { before, after, tables, database }: Asked,
  options: Options,
  io: Io,
): Promise<ExitCode | undefined> {
  const owner = textOf(options.owner);
  const body: PartRequest = {
    ...{ kind: 'difference', before: wantedInstant(before), after: wantedInstant(after) },
    ...(options.store === undefined ? {} : { stores: listOf(options.store) }),
    ...(tables && { tables }),
    ...(database === undefined ? {} : { database }),
    ...(owner === undefined ? {} : { owner }),
  };
  return await withServedPart(body, options, io, async ({ part, differences }) => {
    const { atMs = 0, untilMs = 0, hasMore } = part;
    const telling = tellDifferences(atMs, untilMs, options, io);
    for await (const found of differences()) telling.found(found);
    telling.end();
    if (hasMore) io.warn('More differs than a control plane names: --repo names all of it.');
    return 0;
  });
}

function tellDifferences(fromMs: number, toMs: number, options: Options, io: Io) {
  io.say(`from ${iso(fromMs)} to ${iso(toMs)}`);
  const totals = { tables: 0, files: 0, inserted: 0, updated: 0, deleted: 0 };
  return {
    found(difference: StoreDifference) {
      count(totals, difference);
      for (const line of linesOf(difference, options.all === true)) io.say(line);
      io.result(difference);
    },
    end() {
      io.say();
      io.say(totalsText(totals));
      io.result({ kind: 'totals', fromMs, toMs, ...totals });
    },
  };
}

const iso = (ms: number) => new Date(ms).toISOString();

type Totals = { tables: number; files: number; inserted: number; updated: number; deleted: number };

function count(totals: Totals, found: StoreDifference): void {
  if (found.kind === 'file') totals.files += 1;
  if (found.kind !== 'table' || found.change === 'same') return;
  totals.tables += 1;
  totals.inserted += found.inserted;
  totals.updated += found.updated;
  totals.deleted += found.deleted;
}

const FILE_MARKS = { added: '+', changed: '~', removed: '-' } as const;

function linesOf(found: StoreDifference, withSame: boolean): string[] {
  if (found.kind === 'same') return withSame ? [`  ${found.store}: the same`] : [];
  if (found.kind === 'file') return [`${FILE_MARKS[found.change]} ${found.store}: ${found.path}`];
  const { store, table, change, inserted, updated, deleted, byRow, schema } = found;
  if (change === 'same') return withSame ? [`  ${store}: ${table} is the same`] : [];
  const mark = { added: '+', changed: '~', removed: '-' }[change];
  const rows = [
    [inserted, 'inserted'] as const,
    [updated, 'updated'] as const,
    [deleted, 'deleted'] as const,
  ].filter(([rowCount]) => rowCount > 0);
  const counts = rows.map(([rowCount, what]) => `${formatCount(rowCount)} ${what}`).join(', ');
  const how = byRow && rows.length > 0 ? ' (whole rows: it has no key)' : '';
  const said = change === 'changed' ? '' : ` (${change})`;
  return [
    `${mark} ${store}: ${table}${said}${counts === '' ? '' : `  ${counts}${how}`}`,
    ...schema.map((line) => `      ${line}`),
  ];
}

function totalsText({ tables, files, inserted, updated, deleted }: Totals): string {
  if (tables + files === 0) return 'Nothing differs.';
  return `${formatCount(tables)} tables differ (${formatCount(inserted)} rows inserted, ${formatCount(updated)} updated, ${formatCount(deleted)} deleted), ${formatCount(files)} files differ`;
}
