/** The same jobs in three programs. Compression: each program's zstd at level 3, which is restic's default. */
import fs from 'node:fs';
import path from 'node:path';

export type Peer = {
  name: string;
  env(folder: string): Record<string, string>;
  init(repository: string): string[];
  backup(repository: string, input: string, turn: number): string[];
  restore(repository: string, target: string, turn: number): string[];
  /** Reads and verifies all of it. */
  check(repository: string): string[];
};

const root = path.resolve(import.meta.dirname, '..');
export const holdfastProgram = path.join(root, 'bin', 'holdfast');
export const PASSWORD = 'bench';

export const holdfast: Peer = {
  name: 'holdfast',
  env: () => ({ HOLDFAST_PASSWORD: PASSWORD }),
  init: (repository) => [holdfastProgram, 'repo', 'init', '--repo', repository],
  backup: (repository, input) => [holdfastProgram, 'repo', 'backup', '--repo', repository, input],
  restore: (repository, target) => [
    ...[holdfastProgram, 'repo', 'restore', 'latest', '--repo', repository, '--target', target],
  ],
  check: (repository) => [holdfastProgram, 'repo', 'check', '--read-data', '--repo', repository],
};

export const restic: Peer = {
  name: 'restic',
  env: (folder) => ({
    RESTIC_PASSWORD: PASSWORD,
    RESTIC_CACHE_DIR: path.join(folder, 'restic-cache'),
  }),
  init: (repository) => ['restic', '-q', '-r', repository, 'init'],
  backup: (repository, input) => ['restic', '-q', '-r', repository, 'backup', input],
  restore: (repository, target) => [
    ...['restic', '-q', '-r', repository, 'restore', 'latest', '--target', target],
  ],
  check: (repository) => ['restic', '-q', '-r', repository, 'check', '--read-data'],
};

export const borg: Peer = {
  name: 'borg',
  env: (folder) => ({
    BORG_PASSPHRASE: PASSWORD,
    BORG_BASE_DIR: path.join(folder, 'borg'),
    BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: 'yes',
  }),
  init: (repository) => ['borg', 'init', '-e', 'repokey', repository],
  backup: (repository, input, turn) => [
    'borg',
    'create',
    '-C',
    'zstd,3',
    `${repository}::${turn}`,
    input,
  ],
  restore: (repository, target, turn) => {
    fs.mkdirSync(target, { recursive: true });
    return [
      'sh',
      '-c',
      'cd "$1" && exec borg extract "$2"',
      'sh',
      target,
      `${repository}::${turn}`,
    ];
  },
  check: (repository) => ['borg', 'check', '--verify-data', repository],
};

export const PEERS: readonly Peer[] = [holdfast, restic, borg];
