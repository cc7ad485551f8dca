/** What `holdfast init` writes: the file beside the code, and a new password where only this user reads it. */
import { existsSync } from 'node:fs';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { makePassword, systemCode, writeFileDurably } from '#base';
import {
  COMPOSE_FILES,
  DEFAULT_FILE,
  environmentErrors,
  lookAround,
  starterText,
} from '#environment';

export type Starter = {
  file: string;
  text: string;
  passwordFile: string;
  repository: string;
  /** How many stores it names. */
  stores: number;
};

/** Throws `starter-exists`. Writes nothing. */
export async function prepareStarter(
  folder: string,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<Starter> {
  const file = path.join(folder, DEFAULT_FILE);
  if (existsSync(file)) throw environmentErrors.starterExists([file]);
  const seen = await lookAround(folder, variables);
  const { secrets, data } = placesOf(variables);
  const name = path.basename(folder) || 'environment';
  const passwordFile = path.join(secrets, `${name}.password`);
  const repository = path.join(data, 'repositories', name);
  const imports = COMPOSE_FILES.filter((each) => existsSync(path.join(folder, each))).slice(0, 1);
  const schema = path.resolve(import.meta.dirname, '../../holdfast.schema.json');
  const text = starterText({ folder, repository, passwordFile, schema, imports, seen });
  return { file, text, passwordFile, repository, stores: seen.length };
}

/** A password that is there already is kept. Throws `starter-exists` where the file appeared meanwhile. */
export async function writeStarter(starter: Starter): Promise<void> {
  await fs.mkdir(path.dirname(starter.passwordFile), { recursive: true, mode: 0o700 });
  if (!existsSync(starter.passwordFile)) {
    await writeFileDurably(starter.passwordFile, `${makePassword()}\n`);
  }
  try {
    await fs.writeFile(starter.file, starter.text, { flag: 'wx', mode: 0o644 });
  } catch (error) {
    if (systemCode(error) === 'EEXIST') throw environmentErrors.starterExists([starter.file]);
    throw error;
  }
}

/** Root's in the system, everybody else's where XDG says. */
function placesOf(variables: Readonly<Record<string, string | undefined>>): {
  secrets: string;
  data: string;
} {
  if (process.getuid?.() === 0) return { secrets: '/etc/holdfast', data: '/var/lib/holdfast' };
  const home = variables.HOME ?? os.homedir();
  return {
    secrets: path.join(variables.XDG_CONFIG_HOME ?? path.join(home, '.config'), 'holdfast'),
    data: path.join(variables.XDG_DATA_HOME ?? path.join(home, '.local', 'share'), 'holdfast'),
  };
}
