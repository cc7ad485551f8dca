/**
 * Reads holdfast.yaml, merges the overlay of a stage, looks up references, checks everything and gives the environment
 * as values, or one error that names every problem with file, line and column.
 */
import { existsSync } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { messageOf, systemCode } from '#base';
import { findSource, sourceTypes } from '#sources';
import { assemble } from './assemble.ts';
import { crossCheck } from './cross-checks.ts';
import { errors } from './errors.ts';
import type { Environment } from './model.ts';
import { formatProblem, orderProblems, type Problem, shownPath } from './problems.ts';
import { resolveSettings } from './resolve-settings.ts';
import { type SourceSchemas, validate } from './validate.ts';
import { type Located, locate, overlaid } from './yaml/located.ts';
import { MAX_FILE_BYTES, readYaml, type YamlFile } from './yaml/read.ts';

export const DEFAULT_FILE = 'holdfast.yaml';

/** Problems that one error names; more help nobody. */
const MOST_SHOWN = 50;

export type ParseOptions = {
  /** By default those of every source that Holdfast has. */
  sourceSchemas?: SourceSchemas;
  /** Where relative paths begin; by default the folder of the file. For a file that was brought back elsewhere. */
  folder?: string;
  /** `-e staging`: the stage asked for. */
  stage?: string;
  /** Where `${NAME}` is looked up; by default the environment of this process. */
  variables?: Readonly<Record<string, string | undefined>>;
  /**
   * `keep` leaves references and imports that this machine doesn't have as they are: for a file that comes out of a
   * repository, on a machine that isn't production. The stores' own fields may then be missing.
   */
  missing?: 'problem' | 'keep';
};

export type LoadOptions = ParseOptions & {
  /** By default `holdfast.yaml` in the working directory. */
  file?: string;
};

/** Throws `file-missing`, `overlay-missing`, `file-unreadable` or `invalid-file` with `facts.problems`. */
export async function loadEnvironment(options: LoadOptions = {}): Promise<Environment> {
  const file = path.resolve(options.file ?? DEFAULT_FILE);
  const bytes = await readBounded(file);
  if (bytes === undefined) throw errors.fileMissing([shownPath(file)], { where: file });
  const files = [{ path: file, bytes }];
  if (options.stage !== undefined) {
    const overlay = overlayPath(file, options.stage);
    const overlayBytes = await readBounded(overlay);
    if (overlayBytes !== undefined) files.push({ path: overlay, bytes: overlayBytes });
  }
  return parseEnvironment(files, options);
}

/** `holdfast.staging.yaml` of `holdfast.yaml`. */
export function overlayPath(file: string, stage: string): string {
  const { dir, name, ext } = path.parse(file);
  return path.join(dir, `${name}.${path.basename(stage)}${ext}`);
}

/** The same of texts at hand: the file, then its overlay. Paths are absolute; only the secrets' files are read. */
export function parseEnvironment(
  files: readonly { path: string; bytes: Uint8Array }[],
  options: ParseOptions = {},
): Environment {
  const [main, overlay] = files;
  if (main === undefined) throw errors.fileMissing([DEFAULT_FILE]);
  const read = files.map((file) => readYaml(file.path, file.bytes));
  const problems = read.flatMap((file) => file.problems);
  const root = mergedRoot(files, read, options.stage, problems);
  if (root === undefined) throw invalid(files, problems);

  const folder = path.resolve(options.folder ?? path.dirname(main.path));
  const missing = options.missing ?? 'problem';
  const variables = options.variables ?? process.env;
  const settings = resolveSettings(root, { variables, folder }, missing);
  const validated = validate(settings, options.sourceSchemas ?? allSourceSchemas(), folder);
  const found = [...settings.problems, ...validated.problems, ...crossCheck(root)];
  if (missing === 'problem') found.push(...missingImports(settings.root, folder));
  problems.push(...found.filter((each) => !read.some((file) => file.isConsequence(each))));
  if (problems.length > 0 || validated.declared === undefined) throw invalid(files, problems);

  return assemble(validated.declared, validated.own, settings.root, {
    file: main.path,
    folder,
    overlay: overlay?.path,
    texts: files.map((file) => ({ path: file.path, text: new TextDecoder().decode(file.bytes) })),
  });
}

/** The schema of each source's own fields, by the type of store. */
export function allSourceSchemas(): SourceSchemas {
  return Object.fromEntries(sourceTypes().map((type) => [type, findSource(type)!.schema]));
}

function mergedRoot(
  files: readonly { path: string }[],
  read: readonly YamlFile[],
  stage: string | undefined,
  problems: Problem[],
): Located | undefined {
  let merged: Located | undefined;
  for (const file of read) {
    if (file.root === undefined) return undefined;
    if (file.root.kind !== 'map') {
      problems.push({ place: file.root.place, path: '', what: 'must be a map of fields' });
      return undefined;
    }
    merged = merged === undefined ? file.root : overlaid(merged, file.root);
  }
  if (stage === undefined || merged?.kind !== 'map') return merged;
  return staged(merged, files, stage, problems);
}

/** The stage that was asked for is the stage that results: by the overlay, which may leave it unsaid, or by the file. */
function staged(
  merged: Extract<Located, { kind: 'map' }>,
  files: readonly { path: string }[],
  stage: string,
  problems: Problem[],
): Located {
  const said = merged.entries.get('stage');
  const saidStage = said?.value.kind === 'scalar' ? said.value.value : 'production';
  const overlay = files[1]?.path;
  if (overlay === undefined) {
    if (saidStage !== stage) {
      throw errors.overlayMissing([stage, shownPath(overlayPath(files[0]!.path, stage))]);
    }
    return merged;
  }
  if (said !== undefined && said.keyPlace.file === overlay && saidStage !== stage) {
    problems.push({
      place: said.value.place,
      path: 'stage',
      what: `is ${String(saidStage)}, but the file is the overlay of ${stage}`,
    });
  }
  const place = { file: overlay, line: 1, column: 1 };
  const entries = new Map(merged.entries);
  entries.set('stage', { keyPlace: place, value: { kind: 'scalar', value: stage, place } });
  return { ...merged, entries };
}

function missingImports(root: Located, folder: string): Problem[] {
  const list = locate(root, ['import'])?.value;
  if (list?.kind !== 'list') return [];
  return list.items.flatMap((item, index) => {
    if (item.kind !== 'scalar' || typeof item.value !== 'string') return [];
    if (existsSync(path.resolve(folder, item.value))) return [];
    return [{ place: item.place, path: `import[${index}]`, what: `there is no ${item.value}` }];
  });
}

function invalid(files: readonly { path: string }[], problems: readonly Problem[]) {
  const ordered = orderProblems(
    problems,
    files.map((file) => file.path),
  );
  const first = ordered[0];
  const lines = ordered.slice(0, MOST_SHOWN).map(formatProblem);
  if (ordered.length > MOST_SHOWN) lines.push(`… and ${ordered.length - MOST_SHOWN} more`);
  return errors.invalidFile([shownPath(files[0]?.path ?? DEFAULT_FILE), ordered.length, lines], {
    ...(first && {
      where: `${shownPath(first.place.file)}:${first.place.line}:${first.place.column}`,
    }),
    facts: { problems: ordered.slice(0, MOST_SHOWN) },
  });
}

/** At most one byte more than is allowed, which reading then refuses; undefined where there is no file. */
async function readBounded(file: string): Promise<Uint8Array | undefined> {
  let handle: fs.FileHandle | undefined;
  try {
    const stat = await fs.stat(file);
    if (!stat.isFile()) throw new Error('it is no regular file');
    handle = await fs.open(file, 'r');
    const buffer = Buffer.alloc(MAX_FILE_BYTES + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw errors.fileUnreadable([shownPath(file), messageOf(error)], { cause: error });
  } finally {
    await handle?.close();
  }
}
