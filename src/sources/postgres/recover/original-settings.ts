import fs from 'node:fs/promises';
import path from 'node:path';
import { systemCode } from '#base';
import { CONFIG_FOLDER } from '../facts.ts';
import { AUTOMATIC_CONFIG, AUTOMATIC_CONFIG_ASIDE } from './tree.ts';

/** Where the configuration of production lies in a restored tree. */
export type OriginalConfig = {
  /** The restored data directory. */
  directory: string;
  /** Its path on production, where it was told. */
  productionDirectory: string | undefined;
  /** Path on production of the main file, where it was told. */
  configFile: string | undefined;
};

const DEEPEST_INCLUDE = 10;
const INCLUDE =
  /^\s*(include|include_if_exists|include_dir)(?:\s*=\s*|\s+|(?='))(?:'([^']+)'|"([^"]+)"|([^\s#'"]+))/;
const LINE = /^\s*([A-Za-z_][\w.$]*)\s*(?:=\s*|\s+)('(?:[^'\\]|''|\\.)*'|[^\s#']+)/;

/**
 * The settings of production as its files say them, later ones winning, as Postgres reads them: the main file with what
 * it includes, then postgresql.auto.conf. Files that weren't captured are passed over.
 */
export async function originalSettings(config: OriginalConfig): Promise<Map<string, string>> {
  const settings = new Map<string, string>();
  for await (const { text } of configLines(config, mainFileOf(config))) takeLine(settings, text);
  for (const name of [AUTOMATIC_CONFIG_ASIDE, AUTOMATIC_CONFIG]) {
    const automatic = (await readIfThere(path.join(config.directory, name))) ?? '';
    for (const line of automatic.split('\n')) takeLine(settings, line);
  }
  return settings;
}

/** Its path on production. */
export function mainFileOf(config: OriginalConfig): string {
  return config.configFile ?? path.join(config.productionDirectory ?? '', 'postgresql.conf');
}

/** `file` is its path on production. */
export type ConfigLine = { text: string; file: string };

/**
 * The captured lines of a configuration file (postgresql.conf or pg_hba.conf), with those of what it includes in place
 * of the line that includes it. Nothing where it wasn't captured.
 */
export async function* configLines(
  config: OriginalConfig,
  productionPath: string,
  depth = 0,
): AsyncGenerator<ConfigLine> {
  if (depth > DEEPEST_INCLUDE) return;
  const content = await readIfThere(restoredPath(config, productionPath));
  if (content === undefined) return;
  for (const text of content.split('\n')) {
    const include = INCLUDE.exec(text);
    if (!include) {
      yield { text, file: productionPath };
      continue;
    }
    const [, kind, single, double, bare] = include;
    const target = path.resolve(path.dirname(productionPath), single ?? double ?? bare ?? '');
    const names = kind === 'include_dir' ? await configFilesIn(restoredPath(config, target)) : [''];
    for (const name of names) yield* configLines(config, path.join(target, name), depth + 1);
  }
}

function takeLine(settings: Map<string, string>, line: string): void {
  const match = LINE.exec(line);
  if (match) settings.set((match[1] as string).toLowerCase(), unquote(match[2] as string));
}

/** Where a file of production lies in the restored tree. */
export function restoredPath(config: OriginalConfig, productionPath: string): string {
  const inside = config.productionDirectory?.replace(/\/*$/, '/');
  if (inside !== undefined && productionPath.startsWith(inside)) {
    return path.join(config.directory, productionPath.slice(inside.length));
  }
  return path.isAbsolute(productionPath)
    ? path.join(config.directory, CONFIG_FOLDER, productionPath)
    : path.join(config.directory, productionPath);
}

async function configFilesIn(folder: string): Promise<string[]> {
  const names = await fs.readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => name.endsWith('.conf') && !name.startsWith('.')).sort();
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await fs.readFile(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function unquote(text: string): string {
  if (!text.startsWith("'")) return text;
  return text.slice(1, -1).replace(/''|\\(.)/g, (all, escaped) => (all === "''" ? "'" : escaped));
}
