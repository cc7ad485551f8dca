/** The findings of zod as problems: with the place in the file, in words for a person, with the likely intention. */
import type { z } from 'zod';
import { didYouMean, type Place } from '../problems.ts';
import { type Located, locate, placeOf } from '../yaml/located.ts';
import { notYetField } from './not-yet.ts';

type Issue = z.core.$ZodIssue;

export type Described = {
  path: readonly PropertyKey[];
  place: Place;
  what: string;
  isAbsence?: boolean;
};

/**
 * `path` of the issues is below `base`; `keys` adds field names that are known there besides those of the schema.
 */
export function describeIssues(
  issues: readonly Issue[],
  root: Located,
  schema: z.ZodType,
  base: readonly PropertyKey[] = [],
  keys: ReadonlySet<string> = new Set(),
): Described[] {
  return issues.flatMap((issue) => describeIssue(issue, root, schema, base, keys));
}

function describeIssue(
  issue: Issue,
  root: Located,
  schema: z.ZodType,
  base: readonly PropertyKey[],
  keys: ReadonlySet<string>,
): Described[] {
  const path = [...base, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    const known = [...keysAt(schema, issue.path), ...(issue.path.length === 0 ? keys : [])];
    return issue.keys.map((key) => ({
      path: [...path, key],
      place: locate(root, [...path, key])?.keyPlace ?? placeOf(root, path),
      what: notYetField(path, key) ?? unknownKey(key, known),
    }));
  }
  const found = locate(root, path);
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const likely = likeliestBranch(issue.errors, found?.value);
    if (likely !== undefined) {
      return describeIssues(
        likely.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })),
        root,
        schema,
        base,
        keys,
      );
    }
  }
  const place = issue.code === 'invalid_key' ? found?.keyPlace : found?.value.place;
  const described = { path, place: place ?? placeOf(root, path), what: said(issue, found?.value) };
  return [isAbsent(found?.value) ? { ...described, isAbsence: true } : described];
}

/** Of alternatives between maps, the one that fits but for the fewest things; scalars have no likely one. */
function likeliestBranch(
  branches: readonly (readonly Issue[])[],
  value: Located | undefined,
): readonly Issue[] | undefined {
  if (value?.kind !== 'map') return undefined;
  const wrong = (issues: readonly Issue[]): number =>
    issues.reduce((sum, issue) => {
      if (issue.code === 'unrecognized_keys') return sum + issue.keys.length;
      return sum + (issue.code === 'invalid_type' && issue.path.length === 0 ? 100 : 1);
    }, 0);
  return branches.toSorted((a, b) => wrong(a) - wrong(b))[0];
}

/** More aren't read by anybody. */
const MOST_KNOWN = 16;

function unknownKey(key: string, known: readonly string[]): string {
  if (key === '<<') return 'merging by << is not known here: write the fields out';
  const guess = didYouMean(key, known);
  if (guess !== '') return `is not a known field${guess}`;
  const list =
    known.length > 0 && known.length <= MOST_KNOWN ? `; known are ${known.join(', ')}` : '';
  return `is not a known field${list}`;
}

function said(issue: Issue, value: Located | undefined): string {
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  if (isAbsent(value) && issue.code !== 'custom') {
    return value === undefined ? 'is missing' : 'has no value';
  }
  if (issue.code === 'invalid_type') {
    return isOwnWording(issue.message) ? issue.message : wrongType(issue.expected, value);
  }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    const one = values.length === 1;
    return `must be ${one ? '' : 'one of '}${values.join(', ')}${one ? '' : nearest(value, values)}`;
  }
  if (issue.code === 'invalid_union') {
    const words = issue.errors
      .flat()
      .flatMap((inner) => (inner.code === 'invalid_value' ? inner.values.map(String) : []));
    return `${isOwnWording(issue.message) ? issue.message : 'is not valid here'}${nearest(value, words)}`;
  }
  return isOwnWording(issue.message) ? issue.message : `is not valid: ${issue.message}`;
}

function isAbsent(value: Located | undefined): boolean {
  return value === undefined || (value.kind === 'scalar' && value.value === null);
}

function nearest(value: Located | undefined, words: readonly string[]): string {
  return value?.kind === 'scalar' && typeof value.value === 'string'
    ? didYouMean(value.value, words)
    : '';
}

function isOwnWording(message: string): boolean {
  return !/^(Invalid|Too (small|big)|Expected|Unrecognized)/.test(message);
}

const TYPE_WORDS: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map of fields',
  record: 'a map of names',
};

function wrongType(expected: string, value: Located | undefined): string {
  const wanted = `must be ${TYPE_WORDS[expected] ?? expected}`;
  if (value === undefined) return wanted;
  if (value.kind === 'list') return `${wanted}, not a list`;
  if (value.kind === 'map') return `${wanted}, not a map`;
  if (expected === 'boolean' && /^(yes|no|on|off|y|n)$/i.test(String(value.value))) {
    return `${wanted}: ${String(value.value)} is a plain word in YAML 1.2`;
  }
  if (expected === 'string') return `${wanted}: put ${String(value.value)} in quotes`;
  return wanted;
}

/** Field names that a schema knows at a path, of all its alternatives. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  return schemasAt([schema], path).flatMap((at) => Object.keys(shapeOf(at) ?? {}));
}

function schemasAt(schemas: readonly z.ZodType[], path: readonly PropertyKey[]): z.ZodType[] {
  let level = schemas.flatMap(unwrapped);
  for (const step of path) {
    level = level.flatMap((schema) => childOf(schema, step)).flatMap(unwrapped);
  }
  return level;
}

type Definition = {
  type: string;
  shape?: Record<string, z.ZodType>;
  valueType?: z.ZodType;
  element?: z.ZodType;
  innerType?: z.ZodType;
  options?: z.ZodType[];
  in?: z.ZodType;
};

const definitionOf = (schema: z.ZodType): Definition => schema._zod.def as unknown as Definition;
const shapeOf = (schema: z.ZodType) => definitionOf(schema).shape;

/** Without the layers that change no field name: optional, default, alternatives, transformations. */
function unwrapped(schema: z.ZodType): z.ZodType[] {
  const { innerType, options, in: input } = definitionOf(schema);
  if (innerType !== undefined) return unwrapped(innerType);
  if (options !== undefined) return options.flatMap(unwrapped);
  if (input !== undefined) return unwrapped(input);
  return [schema];
}

function childOf(schema: z.ZodType, step: PropertyKey): z.ZodType[] {
  const { shape, valueType, element } = definitionOf(schema);
  const child = typeof step === 'number' ? element : (shape?.[String(step)] ?? valueType);
  return child === undefined ? [] : [child];
}
