/**
 * What a source of tables can do besides bringing a whole store back: single tables or rows of a running copy into
 * production, two copies compared, a condition asked. Whoever calls has started the copies and takes them away.
 */
import type { SourceContext } from './source.ts';

/** A copy that `recover` started: its tree and its scratch folder. */
export type CopyPlace = { directory: string; scratch: string };

export type ProductionPlace = {
  /** The store's own fields as declared. */
  own: Record<string, unknown>;
  /** The address of somebody who may write there, where the store's own may only read. Holds a password. */
  url?: string;
};

export type TableRequest = {
  /** As a person names them: `customers`, `sales.customers`. */
  tables: readonly string[];
  /** A condition on the rows of the one table, in SQL; it is asked of the copy. */
  where?: string;
  /** Instead of the one that the store's address names. */
  database?: string;
  /** For a new table: the instant that the copy is of. */
  instantMs: number;
} & (
  | { into: 'new'; as?: string }
  /** `update`: rows that differ become what they were, too. `undo`: what is needed to take it back is kept. */
  | { into: 'existing'; as?: string; update: boolean; undo: boolean }
);

export type ShownRow = {
  change: 'insert' | 'update';
  /** Shortened text of each value; null is null. Of an update: its key. */
  values: Record<string, string | null>;
  /** Of an update: what would change. */
  becomes?: Record<string, { now: string | null; was: string | null }>;
};

/** What would change in one table. Nothing was written. */
export type TablePreview = {
  /** In the copy, and where it goes in production. */
  table: string;
  target: string;
  /** Rows that were asked for, in the copy. */
  rows: number;
  inserts: number;
  updates: number;
  /** Rows that differ and stay as they are, because updates were not asked for. */
  differing: number;
  first: ShownRow[];
  /** What a person should know: columns left out, triggers that fire. */
  notes: string[];
};

export type TablesResult = {
  tables: { table: string; target: string; inserted: number; updated: number }[];
  /** By which it can be taken back; undefined where nothing was changed or nothing kept. */
  undo?: string;
};

/** One piece of work between a copy and production. Nothing is written before `apply`. */
export interface TablesWork {
  preview: readonly TablePreview[];
  /** All of it, in one transaction, or nothing. Does no more than was shown. Call it once. */
  apply(): Promise<TablesResult>;
  /** May be called at any time, twice too; without `apply` nothing remains. */
  close(): Promise<void>;
}

export type UndoneTable = {
  table: string;
  removed: number;
  restored: number;
  /** Rows that somebody changed since: they stay. */
  changedSince: number;
};

export type TableDifference = {
  database: string;
  table: string;
  change: 'same' | 'changed' | 'added' | 'removed';
  inserted: number;
  updated: number;
  deleted: number;
  /** Whole rows were counted, since it has no key: an update shows as one deleted and one inserted. */
  byRow: boolean;
  /** True where its files are the same in both, so that no row had to be read. */
  byFiles: boolean;
  /** Schema changes in words: `column note added (text)`. */
  schema: string[];
};

export type CompareRequest = {
  before: CopyPlace;
  after: CopyPlace;
  /**
   * Where both came from the same base: when the first of them was begun, ms since 1970. What was written before is of
   * that base, so that a file that nobody wrote to shows by its time.
   */
  sameBaseUntilMs?: number;
  tables?: readonly string[];
  /** Undefined: every database; of named tables, that of the store's address. */
  database?: string;
};

export interface TableParts {
  /** @throws what was wrong with the names, the condition or the types, before anything is written */
  take(
    copy: CopyPlace,
    production: ProductionPlace,
    request: TableRequest,
    context: SourceContext,
  ): Promise<TablesWork>;
  /** Undefined where production knows nothing of this id. */
  undo(
    production: ProductionPlace,
    id: string,
    database: string | undefined,
    context: SourceContext,
  ): Promise<UndoneTable[] | undefined>;
  compare(request: CompareRequest, context: SourceContext): AsyncIterable<TableDifference>;
  /**
   * Whether a condition holds in a copy: its first column of its first row is true, or, where that is no boolean, a row
   * came.
   */
  holds(
    copy: CopyPlace,
    condition: { sql: string; database?: string },
    context: SourceContext,
  ): Promise<boolean>;
}
