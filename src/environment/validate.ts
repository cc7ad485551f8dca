/** A file's tree against the schemas of the parts and of the sources: the declared values, or every problem. */
import path from 'node:path';
import type { z } from 'zod';
import { didYouMean, type Problem } from './problems.ts';
import type { ResolvedSettings } from './resolve-settings.ts';
import { type DeclaredEnvironment, environmentSchema } from './schema/environment.ts';
import { type Described, describeIssues } from './schema/issues.ts';
import { isLaterStoreType, notYet } from './schema/not-yet.ts';
import { COMMON_STORE_FIELDS } from './schema/store.ts';
import { formatPath, type Located, locate, plain } from './yaml/located.ts';

/** The schema of each source's own fields, by the type of store. */
export type SourceSchemas = Readonly<Record<string, z.ZodType>>;

export type Validated = {
  /** Undefined where there are problems. */
  declared: DeclaredEnvironment | undefined;
  /** Each protected store's own fields as its source reads them. */
  own: Map<string, Record<string, unknown>>;
  problems: Problem[];
};

export function validate(
  settings: ResolvedSettings,
  sourceSchemas: SourceSchemas,
  folder: string,
): Validated {
  const { root } = settings;
  const parsed = environmentSchema.safeParse(plain(root));
  const described = parsed.success
    ? []
    : describeIssues(parsed.error.issues, root, environmentSchema);
  const own = new Map<string, Record<string, unknown>>();
  const stores = locate(root, ['stores'])?.value;
  if (stores?.kind === 'map') {
    for (const [name, entry] of stores.entries) {
      if (entry.value.kind !== 'map') continue;
      described.push(...validateStore(root, name, sourceSchemas, folder, own));
      // What holds a reference that nobody could look up is no setting to work with.
      if ([...settings.unresolved].some((at) => at.startsWith(`stores.${name}.`))) own.delete(name);
    }
  }
  const problems = described
    .filter((each) => !settings.unresolved.has(formatPath(each.path)))
    .map((each) => asProblem(each, settings.secrets));
  return { declared: parsed.data, own, problems };
}

function validateStore(
  root: Located,
  name: string,
  sourceSchemas: SourceSchemas,
  folder: string,
  own: Map<string, Record<string, unknown>>,
): Described[] {
  const base = ['stores', name];
  const type = locate(root, [...base, 'type'])?.value;
  if (type?.kind !== 'scalar' || typeof type.value !== 'string') return [];
  const isExcluded = plainAt(root, [...base, 'protect']) === 'none';
  const schema = Object.hasOwn(sourceSchemas, type.value) ? sourceSchemas[type.value] : undefined;
  if (schema === undefined) {
    const isLater = isLaterStoreType(type.value);
    if (isLater && isExcluded) return [];
    const known = Object.keys(sourceSchemas);
    const what = isLater
      ? notYet(`stores of type ${type.value}`)
      : `must be ${known.join(' or ')}${didYouMean(type.value, known)}`;
    return [{ path: [...base, 'type'], place: type.place, what }];
  }
  const fields = ownFields(plainAt(root, base), folder);
  const parsed = schema.safeParse(fields);
  if (parsed.success) {
    own.set(name, parsed.data as Record<string, unknown>);
    return [];
  }
  // Of a store that isn't protected only the names of its fields matter: a typing error in them would hide it for ever.
  const issues = isExcluded
    ? parsed.error.issues.filter((issue) => issue.code === 'unrecognized_keys')
    : parsed.error.issues;
  return describeIssues(issues, root, schema, base, COMMON_STORE_FIELDS);
}

function plainAt(root: Located, at: readonly PropertyKey[]): unknown {
  const found = locate(root, at);
  return found === undefined ? undefined : plain(found.value);
}

/** Without the common fields; a relative `path` begins at the folder of the file. */
function ownFields(store: unknown, folder: string): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(store as Record<string, unknown>)) {
    if (COMMON_STORE_FIELDS.has(key)) continue;
    const isPath = key === 'path' && typeof value === 'string' && value !== '';
    fields[key] = isPath ? path.resolve(folder, value) : value;
  }
  return fields;
}

/** A message that would show a value out of a reference is replaced whole. */
function asProblem(described: Described, secrets: ReadonlyMap<string, readonly string[]>): Problem {
  const at = formatPath(described.path);
  let { what } = described;
  for (const [secretPath, values] of secrets) {
    for (const value of values) {
      const isTelling = value.length >= 4 || secretPath === at;
      if (isTelling && what.includes(value)) what = 'the value of its reference is not valid here';
    }
  }
  const { place, isAbsence = false } = described;
  return { place, path: at, what, ...(isAbsence && { isAbsence }) };
}
