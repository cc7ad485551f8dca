/** What becomes of production's configuration when a copy takes production's place. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { entryExists } from '#base';
import type { SettleRequest } from '../../source.ts';
import { CONFIG_FOLDER } from '../facts.ts';
import type { CopyState } from './copy-state.ts';
import { configLines, mainFileOf, type OriginalConfig, restoredPath } from './original-settings.ts';

const MAIN = 'postgresql.conf';
/** Each with the setting that names it. */
const OTHERS = [
  ['hba_file', 'pg_hba.conf'],
  ['ident_file', 'pg_ident.conf'],
] as const;
const INTRODUCTION =
  '# Put here by Holdfast: the files that were read before are not on this host.';

/**
 * Files outside the data directory that are on this host stay what production is started with: nothing is changed.
 * Where the main file or one that it includes is gone, the captured ones are put into the data directory as one file
 * each, which a server started on the data directory alone finds. What was captured from outside moves to the scratch
 * folder. Idempotent.
 */
export async function settleConfig(request: SettleRequest, state: CopyState): Promise<void> {
  const { directory, scratch } = request;
  const config = originalConfigOf(directory, state);
  if (await isMainWhole(config)) await putMissing(request, state, config);
  else await putAll(request, state, config);
  const captured = path.join(directory, CONFIG_FOLDER);
  if (!(await entryExists(captured))) return;
  await fs.cp(captured, path.join(scratch, CONFIG_FOLDER), { recursive: true });
  await fs.rm(captured, { recursive: true });
}

function originalConfigOf(directory: string, state: CopyState): OriginalConfig {
  const { productionDirectory, configFiles } = state;
  return { directory, productionDirectory, configFile: configFiles[0] };
}

/** The main file, and all that it includes, can be read where the server looks for them. */
async function isMainWhole(config: OriginalConfig): Promise<boolean> {
  const main = mainFileOf(config);
  const files = new Set([main]);
  for await (const { file } of configLines(config, main)) files.add(file);
  for (const file of files) {
    const isOutside = isCapturedOutside(config, file);
    if (
      isOutside &&
      (await entryExists(restoredPath(config, file))) &&
      !(await entryExists(file))
    ) {
      return false;
    }
  }
  return true;
}

function isCapturedOutside(config: OriginalConfig, file: string): boolean {
  return restoredPath(config, file).startsWith(path.join(config.directory, CONFIG_FOLDER));
}

/** The main file stays; of the other two, what is gone is put into the data directory and named there. */
async function putMissing(
  { directory, home }: SettleRequest,
  state: CopyState,
  config: OriginalConfig,
): Promise<void> {
  const main = mainTarget(config);
  const lines: string[] = [];
  for (const [index, [setting, name]] of OTHERS.entries()) {
    const file = state.configFiles[index + 1];
    if (file === undefined || !isCapturedOutside(config, file) || (await entryExists(file)))
      continue;
    if (!(await put(config, file, path.join(directory, name), state))) continue;
    lines.push(`${setting} = ${quoted(path.join(home, name))}`);
  }
  if (lines.length === 0 || !(await entryExists(main))) return;
  await fs.appendFile(main, `\n${[INTRODUCTION, ...lines].join('\n')}\n`);
}

async function putAll(
  { directory, home }: SettleRequest,
  state: CopyState,
  config: OriginalConfig,
): Promise<void> {
  const lines = [INTRODUCTION, `data_directory = ${quoted(home)}`];
  for (const [index, [setting, name]] of OTHERS.entries()) {
    const file = state.configFiles[index + 1];
    if (file === undefined) continue;
    const isHere = isCapturedOutside(config, file) && (await entryExists(file));
    if (isHere) lines.push(`${setting} = ${quoted(file)}`);
    else if (await put(config, file, path.join(directory, name), state)) {
      lines.push(`${setting} = ${quoted(path.join(home, name))}`);
    }
  }
  await put(config, mainFileOf(config), mainTarget(config), state, lines);
}

/** Where the main file lies in the copy, or is put. */
function mainTarget(config: OriginalConfig): string {
  const main = mainFileOf(config);
  const isOutside = isCapturedOutside(config, main);
  return isOutside ? path.join(config.directory, MAIN) : restoredPath(config, main);
}

/** As one file, with what it includes. False where it wasn't captured. */
async function put(
  config: OriginalConfig,
  file: string,
  target: string,
  { user }: CopyState,
  more: string[] = [],
): Promise<boolean> {
  if (!(await entryExists(restoredPath(config, file)))) return false;
  const lines: string[] = [];
  for await (const { text } of configLines(config, file)) lines.push(text);
  const text = [...lines, ...more, ''].join('\n');
  await fs.writeFile(target, text, { mode: 0o600 });
  await fs.chown(target, user.uid, user.gid);
  return true;
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
