/** A table of the copy and the one of production that its rows go to: what of them fits, by name. */
import { errors, quoteIdentifier } from '../errors.ts';
import { type Compared, digestOf, valueIn } from './digest.ts';
import { type Column, shownName, type Table } from './tables.ts';

/** Types made by people have ids from here on: a copy may know them by the same id and not by the same name. */
export const FIRST_OWN_TYPE = 16_384;

export type Pair = {
  copy: Table;
  target: Table;
  /** Those that both have and that can be written, as the target has them. */
  columns: Compared[];
  key: Compared[];
  /** Every column has the same type in both: the binary form of one is that of the other. */
  isSame: boolean;
  notes: string[];
};

/** @throws postgres/key-missing, postgres/key-absent, postgres/column-without-value */
export function pairTables(copy: Table, target: Table): Pair {
  const before = new Map(copy.columns.map((column) => [column.name, column]));
  const shared = target.columns.filter(({ name, isGenerated }) => before.has(name) && !isGenerated);
  const compared = shared.map((column) => comparedAs(before.get(column.name) as Column, column));
  const name = shownName(target);
  if (target.key.length === 0) throw errors.keyMissing([name]);
  const key = target.key.map((wanted) => {
    const found = compared.find((column) => column.name === wanted);
    if (!found) throw errors.keyAbsent([shownName(copy), wanted]);
    return found;
  });
  refuseColumnsWithoutValue(copy, target);
  return {
    copy,
    target,
    columns: compared,
    key,
    isSame: shared.every(({ name: one, typeId }) => before.get(one)?.typeId === typeId),
    notes: notesOf(copy, target),
  };
}

/** What an update sets: neither the key nor what the server gives by itself. */
export function updatable({ target, key, columns }: Pair): string[] {
  const fixed = new Set(key.map(({ name }) => name));
  for (const { name, isIdentity } of target.columns) if (isIdentity) fixed.add(name);
  return columns.map(({ name }) => name).filter((name) => !fixed.has(name));
}

/** The digest of a row of production's table. */
export const targetDigest = ({ columns }: Pair, alias: string): string =>
  digestOf(
    columns.map((column) => ({ ...column, isCast: false })),
    alias,
  );

export const sameKey = ({ key }: Pair, a: string, b: string): string =>
  key
    .map(({ name }) => `${a}.${quoteIdentifier(name)} = ${b}.${quoteIdentifier(name)}`)
    .join(' and ');

/** Of a planned row `p` and the row `t` of the copy that it was planned of. */
export const keyJoin = ({ key }: Pair): string =>
  key.map((column) => `${valueIn(column, 't')} = p.${quoteIdentifier(column.name)}`).join(' and ');

function comparedAs(before: Column, now: Column): Compared {
  const { name, type } = now;
  if (before.typeId === now.typeId) return { name, type, isFixed: now.isFixed };
  // A type that people made goes as text, and becomes what it is where it is loaded.
  const isCast = now.typeId < FIRST_OWN_TYPE;
  return { name, type, isFixed: now.isFixed && isCast, isCast };
}

function refuseColumnsWithoutValue(copy: Table, target: Table): void {
  const had = new Set(copy.columns.map(({ name }) => name));
  const bare = target.columns.find(
    (column) =>
      column.isRequired &&
      !had.has(column.name) &&
      !column.hasDefault &&
      !column.isIdentity &&
      !column.isGenerated,
  );
  if (bare) throw errors.columnWithoutValue([shownName(target), bare.name]);
}

function notesOf(copy: Table, target: Table): string[] {
  const notes: string[] = [];
  const has = new Set(target.columns.map(({ name }) => name));
  const had = new Map(copy.columns.map((column) => [column.name, column]));
  const gone = copy.columns.filter(({ name }) => !has.has(name)).map(({ name }) => name);
  if (gone.length > 0)
    notes.push(`left out, since production has no such column: ${gone.join(', ')}`);
  const added = target.columns.filter(({ name, isGenerated }) => !had.has(name) && !isGenerated);
  if (added.length > 0) {
    const names = added.map(({ name }) => name).join(', ');
    notes.push(`not there at that instant, so new rows get their default: ${names}`);
  }
  for (const { name, type, typeId } of target.columns) {
    const before = had.get(name);
    if (before && before.typeId !== typeId) notes.push(`${name} was ${before.type} and is ${type}`);
  }
  if (target.triggers.length > 0) {
    notes.push(`triggers fire in production: ${target.triggers.join(', ')}`);
  }
  return notes;
}
