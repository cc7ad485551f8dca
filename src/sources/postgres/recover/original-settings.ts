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
const LINE = /^\s*([A-Za-z_][\w.$]*)\s*(?:=\s*|\s+)('(?:[^'\\]|''|\\.)*'|[^\s#']+)/;

/**
 * The settings of production as its files say them, later ones winning, as Postgres reads them: the main file with what
 * it includes, then postgresql.auto.conf. Files that weren't captured are passed over.
 */
export async function originalSettings(config: OriginalConfig): Promise<Map<string, string>> {
  const settings = new Map<string, string>();
  const main = config.configFile ?? path.join(config.productionDirectory ?? '', 'postgresql.conf');
  await readInto(settings, config, main, 0);
  for (const name of [AUTOMATIC_CONFIG_ASIDE, AUTOMATIC_CONFIG]) {
    takeLines(settings, (await readIfThere(path.join(config.directory, name))) ?? '', () => {});
  }
  return settings;
}

async function readInto(
  settings: Map<string, string>,
  config: OriginalConfig,
  productionPath: string,
  depth: number,
): Promise<void> {
  if (depth > DEEPEST_INCLUDE) return;
  const text = await readIfThere(restoredPath(config, productionPath));
  if (text === undefined) return;
  const includes: { kind: string; target: string; at: Map<string, string> }[] = [];
  // Includes are read where they stand: what follows them wins.
  for (const line of text.split('\n')) {
    takeLines(settings, line, (kind, target) => includes.push({ kind, target, at: settings }));
    for (const { kind, target } of includes.splice(0)) {
      const absolute = path.resolve(path.dirname(productionPath), target);
      if (kind !== 'include_dir') await readInto(settings, config, absolute, depth + 1);
      else {
        for (const file of await configFilesIn(restoredPath(config, absolute))) {
          await readInto(settings, config, path.join(absolute, file), depth + 1);
        }
      }
    }
  }
}

function takeLines(
  settings: Map<string, string>,
  text: string,
  onInclude: (kind: string, target: string) => void,
): void {
  for (const line of text.split('\n')) {
    const match = LINE.exec(line);
    if (!match) continue;
    const name = (match[1] as string).toLowerCase();
    const value = unquote(match[2] as string);
    if (name === 'include' || name === 'include_if_exists' || name === 'include_dir') {
      onInclude(name, value);
    } else settings.set(name, value);
  }
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
