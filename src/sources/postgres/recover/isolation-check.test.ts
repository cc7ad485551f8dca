import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findPostgres } from '#base';
import { writeCopyConfig } from './copy-config.ts';
import { checkIsolation, readSettings } from './isolation-check.ts';
import { runAs, serverUser } from './os-user.ts';

const execute = promisify(execFile);

let folder: string;
let request: Parameters<typeof checkIsolation>[0];

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), "holdfast-isolation-'\\-"));
  await fs.chmod(folder, 0o755);
  const within = (name: string) => path.join(folder, name);
  request = {
    directory: within('data'),
    configFolder: within('config'),
    socketFolder: within('socket'),
  };
  await fs.mkdir(request.directory);
  await fs.mkdir(request.configFolder);
});
afterAll(() => fs.rm(folder, { recursive: true, force: true }));

const file = () => path.join(request.configFolder, 'postgresql.conf');

async function write(...original: [string, string][]): Promise<void> {
  await writeCopyConfig({
    ...request,
    ...{ majorVersion: 15, binaries: path.join(folder, 'bin'), port: 6000 },
    original: new Map(original),
    ...{ restoreCommand: "'it'\\''s' \"%f\"", recoveryTimeline: 'current' },
  });
}

test('what is written for a copy is read as a server reads it', async () => {
  await write(['app.motto', "it's \\n 100%"], ['app.empty', '']);
  await checkIsolation(request);
  const settings = await readSettings(file());
  const user = await serverUser(undefined, request.directory);
  const binaries = await findPostgres(15, runAs(user), folder);
  for (const name of await fs.readdir(request.configFolder)) {
    await fs.chown(path.join(request.configFolder, name), user.uid, user.gid);
  }
  const asked = ['app.motto', 'app.empty', 'restore_command', 'hba_file'];
  for (const name of asked) {
    const words = ['-D', request.directory, '-c', `config_file=${file()}`, '-C', name];
    const program = path.join(binaries ?? '', 'postgres');
    const { stdout } = await execute(program, words, { ...runAs(user), cwd: '/' });
    expect(stdout.replace(/\n$/, ''), name).toBe(settings.get(name));
  }
});

test.each([
  ['a setting that reaches out', "archive_command = 'cp %p /archive'"],
  ['the same in other letters', "Archive_Mode = 'on'"],
  ['another folder', "data_directory = '/var/lib/postgresql'"],
  ['a file that is read besides', "include = '/etc/postgresql/15/main/postgresql.conf'"],
  ['a line that may mean more than one thing', "archive_command = 'cp' '%p'"],
  ['an escape', "ssl = 'o\\156'"],
])('%s keeps a copy from being started', async (_, line) => {
  await write();
  await fs.appendFile(file(), `${line}\n`);
  await expect(checkIsolation(request)).rejects.toMatchObject({ code: 'postgres/points-outside' });
});

test('settings that were made by SQL on production keep it from being started', async () => {
  await write();
  const automatic = path.join(request.directory, 'postgresql.auto.conf');
  await fs.writeFile(automatic, "primary_conninfo = 'host=production'\n");
  await expect(checkIsolation(request)).rejects.toMatchObject({ code: 'postgres/points-outside' });
  await fs.rm(automatic);
  await checkIsolation(request);
});
