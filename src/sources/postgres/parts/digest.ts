/** What stands for a row when two sides are compared: 16 bytes, made by the server that holds it. */
import { quoteIdentifier } from '../errors.ts';
import type { Column } from './tables.ts';

/** A column to be compared as one of a type: `isFixed` and `type` are those of both sides. */
export type Compared = Pick<Column, 'name' | 'type' | 'isFixed'> & {
  /** Its own type is another one: it is cast. */
  isCast?: boolean;
};

/** `record_send` frames values and nulls exactly; long values go in by their digest, since a record is bounded by 1 GB. */
export function digestOf(columns: readonly Compared[], alias: string): string {
  const values = columns.map((column) => digestValue(column, alias));
  return `md5(pg_catalog.record_send(ROW(${values.join(', ')})))::uuid`;
}

function digestValue(column: Compared, alias: string): string {
  const value = valueIn(column, alias);
  if (column.isFixed) return value;
  // As text, bytes would be twice as long: more than a gigabyte at most.
  return column.type === 'bytea' ? `md5(${value})` : `md5((${value})::text)`;
}

export function valueIn(column: Pick<Compared, 'name' | 'type' | 'isCast'>, alias: string): string {
  const value = `${alias}.${quoteIdentifier(column.name)}`;
  return column.isCast === true ? `${value}::${column.type}` : value;
}
