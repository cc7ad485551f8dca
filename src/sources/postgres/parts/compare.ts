/** Two copies compared table by table: the later one joins its rows with keys and digests of the earlier one's. */
import { systemClock } from '#base';
import type { CompareRequest, TableDifference } from '../../parts.ts';
import type { SourceContext } from '../../source.ts';
import { quoteIdentifier } from '../errors.ts';
import { type Compared, digestOf } from './digest.ts';
import { haveSameFiles, noneStraddles, type Side } from './same-files.ts';
import { schemaChanges } from './schema-changes.ts';
import { connectToCopy, pipe } from './sessions.ts';
import {
  describeTable,
  findTable,
  listTables,
  shownName,
  sqlName,
  type Table,
  type TableName,
} from './tables.ts';

type Sides = { before: Side; after: Side };
type Tables = { before: Table; after: Table };

export async function* compareCopies(
  request: CompareRequest,
  context: SourceContext,
): AsyncGenerator<TableDifference> {
  const databases = await databasesOf(request, context);
  for (const [database, where] of databases) {
    if (where !== 'both') {
      yield* oneSided(request, database, where, context);
      continue;
    }
    const sides = {
      before: {
        session: await connectToCopy(request.before, database, context),
        place: request.before,
      },
      after: {
        session: await connectToCopy(request.after, database, context),
        place: request.after,
      },
    };
    try {
      yield* compareDatabase(sides, request, context);
    } finally {
      await Promise.all([sides.before.session.close(), sides.after.session.close()]);
    }
  }
}

type Where = 'both' | 'before' | 'after';

async function databasesOf(
  { before, after, database, tables }: CompareRequest,
  context: SourceContext,
): Promise<Map<string, Where>> {
  if (database !== undefined) return new Map([[database, 'both']]);
  const found = new Map<string, Where>();
  for (const [where, place] of [['before', before] as const, ['after', after] as const]) {
    const session = await connectToCopy(place, undefined, context);
    const rows = await session.query<{ name: string }>(
      'select datname as name from pg_database where datallowconn and not datistemplate order by 1',
    );
    await session.close();
    if (tables !== undefined) return new Map([[session.database, 'both']]);
    for (const { name } of rows) found.set(name, found.has(name) ? 'both' : where);
  }
  return found;
}

const unchanged = { inserted: 0, updated: 0, deleted: 0, byRow: false, byFiles: false, schema: [] };

/** A database that was made or dropped between the two. */
async function* oneSided(
  request: CompareRequest,
  database: string,
  where: 'before' | 'after',
  context: SourceContext,
): AsyncGenerator<TableDifference> {
  const session = await connectToCopy(request[where], database, context);
  try {
    for (const table of await listTables(session)) {
      yield await lone({ session, place: request[where] }, database, table, where);
    }
  } finally {
    await session.close();
  }
}

async function lone(
  { session }: Side,
  database: string,
  table: TableName,
  where: 'before' | 'after',
): Promise<TableDifference> {
  const [counted] = await session.query<{ count: string }>(
    `select count(*)::text as count from ${sqlName(table)}`,
  );
  const rows = Number(counted?.count ?? 0);
  return {
    ...{ ...unchanged, database, table: shownName(table) },
    change: where === 'after' ? 'added' : 'removed',
    ...(where === 'after' ? { inserted: rows } : { deleted: rows }),
  };
}

/** By name; what has another name and the same number was renamed. */
function paired(before: readonly TableName[], after: readonly TableName[]) {
  const byName = new Map(before.map((table) => [sqlName(table), table]));
  const names = new Set(after.map(sqlName));
  const byNumber = new Map(
    before.filter((table) => !names.has(sqlName(table))).map((table) => [table.oid, table]),
  );
  const taken = new Set<TableName>();
  const pairs = after.map((table) => {
    const earlier = byName.get(sqlName(table)) ?? byNumber.get(table.oid);
    if (earlier) taken.add(earlier);
    return { before: earlier, after: table as TableName | undefined };
  });
  const gone = before.filter((table) => !taken.has(table));
  return [...pairs, ...gone.map((table) => ({ before: table, after: undefined }))];
}

async function* compareDatabase(
  sides: Sides,
  request: CompareRequest,
  context: SourceContext,
): AsyncGenerator<TableDifference> {
  const { before, after } = sides;
  const { database } = after.session;
  const pairs = paired(await listTables(before.session), await listTables(after.session));
  const both = pairs.flatMap((pair) =>
    [pair.after, pair.before].filter((one) => one !== undefined),
  );
  const named = request.tables?.map((name) => findTable(name, both, 'neither instant').oid);
  const untilMs = request.sameBaseUntilMs;
  const mayUseFiles = untilMs !== undefined && (await noneStraddles(before, after));
  for (const [at, pair] of pairs.entries()) {
    context.signal.throwIfAborted();
    const table = (pair.after ?? pair.before) as TableName;
    if (named && !named.includes(table.oid)) continue;
    const step = `comparing ${shownName(table)}`;
    context.progress({ step, doneItems: at, totalItems: pairs.length });
    if (pair.after === undefined)
      yield await lone(before, database, pair.before as TableName, 'before');
    else if (pair.before === undefined) yield await lone(after, database, pair.after, 'after');
    else
      yield await compareTable(
        sides,
        { before: pair.before, after: pair.after },
        mayUseFiles ? untilMs : undefined,
        context,
      );
  }
}

async function compareTable(
  sides: Sides,
  names: { before: TableName; after: TableName },
  sameFilesUntilMs: number | undefined,
  context: SourceContext,
): Promise<TableDifference> {
  const tables: Tables = {
    before: await describeTable(sides.before.session, names.before),
    after: await describeTable(sides.after.session, names.after),
  };
  const schema = await schemaChanges(sides.before.session, sides.after.session, tables);
  const table = shownName(tables.after);
  const { database } = sides.after.session;
  const isSame =
    sameFilesUntilMs !== undefined && (await haveSameFiles(sides, names, sameFilesUntilMs));
  const counts = isSame
    ? { ...unchanged, byFiles: true }
    : await compareRows(sides, tables, context);
  const rows = counts.inserted + counts.updated + counts.deleted;
  const change = rows > 0 || schema.length > 0 ? 'changed' : 'same';
  return { database, table, change, ...counts, schema };
}

/** Columns that both have, as far as their types allow; others show as a change of the schema. */
function comparedColumns({ before, after }: Tables): Compared[] {
  const had = new Map(before.columns.map((column) => [column.name, column]));
  return after.columns.flatMap(({ name, type, typeId, isFixed }): Compared[] => {
    const earlier = had.get(name);
    if (!earlier) return [];
    return [{ name, type, isFixed: isFixed && earlier.typeId === typeId }];
  });
}

type Counts = Omit<TableDifference, 'database' | 'table' | 'change' | 'schema'>;

async function compareRows(
  { before, after }: Sides,
  tables: Tables,
  context: SourceContext,
): Promise<Counts> {
  const columns = comparedColumns(tables);
  const names = new Set(columns.map(({ name }) => name));
  const key =
    tables.before.key.join('\n') === tables.after.key.join('\n') &&
    tables.after.key.every((name) => names.has(name))
      ? tables.after.key
      : [];
  const definitions = key.map(
    (name) => `${quoteIdentifier(name)} ${columns.find((one) => one.name === name)?.type}`,
  );
  const there = 'holdfast_there';
  const { session } = after;
  await session.query(`drop table if exists pg_temp.${there}`);
  await session.query(
    `create temp table ${there} (${[...definitions, 'holdfast_digest uuid'].join(', ')})`,
  );
  const taken = [...key.map((name) => `t.${quoteIdentifier(name)}`), digestOf(columns, 't')];
  const from = (table: Table) =>
    `select ${taken.join(', ')} as holdfast_digest from ${sqlName(table)} t`;
  const begunMs = systemClock.monotonicMs();
  const step = `comparing ${shownName(tables.after)}`;
  await pipe(before.session, from(tables.before), session, `pg_temp.${there}`, {
    format: 'text',
    signal: context.signal,
    onBytes: (doneBytes) => context.progress({ step, doneBytes }),
  });
  await session.query(`analyze ${there}`);
  const question = key.length === 0 ? byRows(from(tables.after)) : byKeys(from(tables.after), key);
  const [row] = await session.query<Record<'inserted' | 'updated' | 'deleted', string>>(question);
  context.progress({ step, ended: { tookMs: systemClock.monotonicMs() - begunMs } });
  return {
    inserted: Number(row?.inserted ?? 0),
    updated: Number(row?.updated ?? 0),
    deleted: Number(row?.deleted ?? 0),
    byRow: key.length === 0,
    byFiles: false,
  };
}

const byKeys = (rows: string, key: readonly string[]): string => `
  select count(*) filter (where b.holdfast_digest is null)::text as inserted,
         count(*) filter (where a.holdfast_digest is null)::text as deleted,
         count(*) filter (where a.holdfast_digest <> b.holdfast_digest)::text as updated
    from (${rows}) a full join holdfast_there b using (${key.map(quoteIdentifier).join(', ')})`;

/** The same row may be there several times. */
const byRows = (rows: string): string => `
  select coalesce(sum(greatest(coalesce(a.n, 0) - coalesce(b.n, 0), 0)), 0)::text as inserted,
         coalesce(sum(greatest(coalesce(b.n, 0) - coalesce(a.n, 0), 0)), 0)::text as deleted, '0' as updated
    from (select holdfast_digest, count(*) as n from (${rows}) r group by 1) a
    full join (select holdfast_digest, count(*) as n from holdfast_there group by 1) b using (holdfast_digest)`;
