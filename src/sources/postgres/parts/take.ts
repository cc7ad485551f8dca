/** Tables or rows of a copy into production: looked at first, written when told to. */
import { systemClock } from '#base';
import type {
  CopyPlace,
  ProductionPlace,
  TablePreview,
  TableRequest,
  TablesResult,
  TablesWork,
} from '../../parts.ts';
import type { SourceContext } from '../../source.ts';
import { parseConnectionUrl } from '../connection/index.ts';
import { errors } from '../errors.ts';
import { writeFailure } from './failures.ts';
import { applyMerges, type Merge } from './merge.ts';
import { createTable, defaultName, type NewTable, standingOf, typesOf } from './new-table.ts';
import { pairTables } from './pairing.ts';
import { checkCondition, makePlan } from './plan.ts';
import { missingReferences } from './references.ts';
import { connectToCopy, connectToProduction, type Session } from './sessions.ts';
import { firstChanges, firstRowsOf } from './shown-rows.ts';
import {
  describeTable,
  findTable,
  listTables,
  parseTableName,
  shownName,
  sqlName,
  type Table,
  type TableName,
} from './tables.ts';

type Sides = { copy: Session; production: Session; context: SourceContext };
type MergeRequest = Extract<TableRequest, { into: 'existing' }>;
type Prepared = { preview: TablePreview[]; apply(): Promise<TablesResult> };

export async function takeTables(
  place: CopyPlace,
  production: ProductionPlace,
  request: TableRequest,
  context: SourceContext,
): Promise<TablesWork> {
  const copy = await connectToCopy(place, request.database ?? databaseOf(production), context);
  const opened: Session[] = [copy];
  const close = async () => {
    await Promise.all(opened.splice(0).map((session) => session.close()));
  };
  try {
    const target = await connectToProduction(production, request.database, context);
    opened.push(target);
    const prepared = await prepare({ copy, production: target, context }, request);
    return { ...prepared, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function prepare(sides: Sides, request: TableRequest): Promise<Prepared> {
  const known = await listTables(sides.copy);
  const found = request.tables.map((name) => findTable(name, known, 'that instant'));
  try {
    return request.into === 'new'
      ? await prepareNew(sides, found, request)
      : await prepareMerge(sides, found, request);
  } catch (error) {
    // A role that streams the journal need not be allowed to read any table.
    throw await writeFailure(error, sides.production);
  }
}

/** As somebody else's address may name another database, that is the one that is meant. */
function databaseOf({ url }: ProductionPlace): string | undefined {
  return url === undefined ? undefined : parseConnectionUrl(url).database;
}

const onBytes = ({ context }: Sides, step: string) => {
  const begunMs = systemClock.monotonicMs();
  return {
    onBytes: (doneBytes: number) => context.progress({ step, doneBytes }),
    ended: () => context.progress({ step, ended: { tookMs: systemClock.monotonicMs() - begunMs } }),
  };
};

const originOf = (table: TableName, { instantMs, where }: TableRequest): string =>
  `holdfast: ${shownName(table)} as of ${new Date(instantMs).toISOString()}${where === undefined ? '' : ` where ${where}`}`;

// ---------------------------------------------------------------- as a table of its own

type Made = { table: NewTable; format: 'text' | 'binary'; rows: number; isDone: boolean };

async function prepareNew(
  sides: Sides,
  found: readonly TableName[],
  request: TableRequest,
): Promise<Prepared> {
  const made: Made[] = [];
  const preview: TablePreview[] = [];
  for (const name of found) {
    const table = await describeTable(sides.copy, name);
    const one = await planNew(sides, table, request);
    made.push(one);
    preview.push({
      table: shownName(table),
      target: shownName(one.table),
      rows: one.rows,
      inserts: one.isDone ? 0 : one.rows,
      updates: 0,
      differing: 0,
      first: one.isDone ? [] : await firstRowsOf(sides.copy, table, request.where),
      notes: one.isDone ? ['this table was brought back before: nothing is left to do'] : [],
    });
  }
  return { preview, apply: () => createAll(sides, made) };
}

async function planNew(sides: Sides, from: Table, request: TableRequest): Promise<Made> {
  const { copy, production } = sides;
  const { where } = request;
  const as = request.as === undefined ? undefined : parseTableName(request.as);
  const table: NewTable = {
    from,
    schema: as?.schema ?? from.schema,
    name: as?.name ?? defaultName(from.name, request.instantMs),
    where,
    origin: originOf(from, request),
  };
  const source = `${sqlName(from)} t`;
  if (where !== undefined) await checkCondition(copy, source, where);
  const isDone = (await standingOf(production, table)) === 'done';
  const format = isDone ? 'text' : await typesOf(production, from);
  const [counted] = await copy.query<{ count: string }>(
    `select count(*)::text as count from ${source}${where === undefined ? '' : ` where (${where}\n)`}`,
  );
  return { table, format, rows: Number(counted?.count ?? 0), isDone };
}

/** Each in its own transaction is enough: none of them touches what is there. */
async function createAll(sides: Sides, made: readonly Made[]): Promise<TablesResult> {
  const tables: TablesResult['tables'] = [];
  for (const { table, format, isDone } of made) {
    const target = shownName(table);
    const progress = onBytes(sides, `${target}: copying`);
    const inserted = isDone
      ? 0
      : await createTable(sides.copy, sides.production, table, {
          format,
          signal: sides.context.signal,
          onBytes: progress.onBytes,
        });
    progress.ended();
    tables.push({ table: shownName(table.from), target, inserted, updated: 0 });
  }
  return { tables };
}

// ---------------------------------------------------------------- into the table that is there

async function prepareMerge(
  sides: Sides,
  found: readonly TableName[],
  request: MergeRequest,
): Promise<Prepared> {
  const { copy, production, context } = sides;
  const merges: Merge[] = [];
  const preview: TablePreview[] = [];
  for (const [at, name] of found.entries()) {
    const before = await describeTable(copy, name);
    const target = await describeTable(production, await targetOf(sides, before, request));
    const pair = pairTables(before, target);
    const progress = onBytes(sides, `${shownName(before)}: comparing with production`);
    const plan = await makePlan(copy, production, pair, {
      at,
      ...(request.where === undefined ? {} : { where: request.where }),
      signal: context.signal,
      onRead: progress.onBytes,
    });
    progress.ended();
    merges.push({ pair, plan });
    preview.push({
      table: shownName(before),
      target: shownName(target),
      rows: plan.rows,
      inserts: plan.missing,
      updates: request.update ? plan.differing : 0,
      differing: request.update ? 0 : plan.differing,
      first: await firstChanges(copy, production, pair, plan, request.update),
      notes: pair.notes,
    });
  }
  const { update } = request;
  const references = await missingReferences(copy, production, merges, {
    ...{ update, signal: context.signal },
  });
  for (const [at, notes] of references.entries()) preview[at]?.notes.push(...notes);
  const origin = found.map((name) => originOf(name, request)).join('; ');
  return {
    preview,
    apply: async () => {
      const progress = onBytes(sides, 'merging into production');
      const { undo } = request;
      const result = await applyMerges(copy, production, merges, {
        ...{ update, undo, origin, signal: context.signal, onBytes: progress.onBytes },
      });
      progress.ended();
      return result;
    },
  };
}

/** A table keeps its number in the catalog when it is renamed: a copy and its production share them. */
async function targetOf(
  { copy, production }: Sides,
  before: Table,
  { as }: MergeRequest,
): Promise<TableName> {
  const known = await listTables(production);
  if (as !== undefined) {
    const target = findTable(as, known, 'production');
    return target;
  }
  const sameName = known.find(
    ({ schema, name }) => schema === before.schema && name === before.name,
  );
  const renamed = known.find(({ oid }) => oid === before.oid);
  if (!sameName) {
    const now = renamed && (await haveOneOrigin(copy, production)) ? shownName(renamed) : undefined;
    throw errors.tableGone([shownName(before), now]);
  }
  return sameName;
}

/** Numbers mean the same only in databases of one origin. */
async function haveOneOrigin(copy: Session, production: Session): Promise<boolean> {
  const question = 'select system_identifier::text as id from pg_control_system()';
  const [one] = (await copy.queryIfAllowed<{ id: string }>(question)) ?? [];
  const [two] = (await production.queryIfAllowed<{ id: string }>(question)) ?? [];
  return one !== undefined && one.id === two?.id;
}
