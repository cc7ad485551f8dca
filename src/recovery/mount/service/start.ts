/** Starts the mount service of a repository on this host, where there is none. */
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { lockFile, type Secret, sleepMs, systemClock, systemCode } from '#base';
import type { Repository, StorageOptions } from '#repository';
import { errors } from '../../errors.ts';
import { startLockOf } from './folder.ts';
import type { ServiceStart } from './protocol.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const SPEAKS_WITHIN_MS = 60_000;
const STARTING_LOOK_MS = 20;
const LAST_WORDS_BYTES = 2000;

export type MountClientOptions = {
  repository: Repository;
  /** As it was opened with: the service opens it once more. */
  url: string;
  storage: StorageOptions;
  /** Where socket and log of the service lie; made where it is absent. */
  folder: string;
};

/** Undefined where no service listens. */
export async function connect(socket: string): Promise<net.Socket | undefined> {
  const connection = net.connect(socket);
  try {
    await new Promise<void>((resolve, reject) => {
      connection.once('connect', resolve).once('error', reject);
    });
    return connection;
  } catch (error) {
    if (['ENOENT', 'ECONNREFUSED'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}

/** One service at most, however many ask for it at once. */
export async function startAndConnect(
  options: MountClientOptions,
  socket: string,
): Promise<net.Socket> {
  const { folder } = options;
  await fs.mkdir(path.dirname(folder), { recursive: true, mode: 0o700 });
  const deadlineMs = systemClock.monotonicMs() + SPEAKS_WITHIN_MS;
  while (systemClock.monotonicMs() < deadlineMs) {
    const lock = await lockFile(startLockOf(folder));
    try {
      const connection = await connect(socket);
      if (connection) return connection;
      if (lock) return await startFirst(options, socket);
    } finally {
      await lock?.release();
    }
    await sleepMs(STARTING_LOOK_MS);
  }
  throw errors.mountServiceSilent([]);
}

async function startFirst(options: MountClientOptions, socket: string): Promise<net.Socket> {
  const { folder, repository, url, storage } = options;
  const logFile = path.join(folder, 'log');
  await fs.mkdir(folder, { recursive: true, mode: 0o700 });
  const start: ServiceStart = {
    socket,
    repositoryId: repository.config.id,
    url,
    s3: storage.s3 && plainOptions(storage.s3),
    masterKey: repository.masterKey,
  };
  await startService(start, logFile);
  const connection = await connect(socket);
  if (!connection) throw errors.mountServiceFailed([await lastWords(logFile), logFile]);
  return connection;
}

/** Outlives this process. What it needs goes over a channel in memory, never by words or files. */
async function startService(start: ServiceStart, logFile: string): Promise<void> {
  const log = await fs.open(logFile, 'a', 0o600);
  const child = spawn(process.execPath, ['--max-semi-space-size=8', MAIN], {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
    serialization: 'advanced',
  });
  await log.close();
  const timer = setTimeout(() => child.kill('SIGKILL'), SPEAKS_WITHIN_MS);
  const ready = await new Promise<boolean>((resolve, reject) => {
    child.once('message', () => resolve(true));
    child.once('exit', () => resolve(false));
    child.once('error', reject);
    child.send(start);
  });
  clearTimeout(timer);
  if (!ready) throw errors.mountServiceFailed([await lastWords(logFile), logFile]);
  if (child.connected) child.disconnect();
  child.unref();
}

async function lastWords(logFile: string): Promise<string> {
  const text = await fs.readFile(logFile, 'utf8');
  const lines = text.slice(-LAST_WORDS_BYTES).trim().split('\n');
  return lines.findLast((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? '';
}

function plainOptions(s3: NonNullable<StorageOptions['s3']>): Record<string, unknown> {
  const { credentials, ...others } = s3;
  if (!credentials) return others;
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  const reveal = (secret: Secret | undefined) => secret?.reveal();
  return {
    ...others,
    credentials: {
      accessKeyId,
      secretAccessKey: reveal(secretAccessKey),
      sessionToken: reveal(sessionToken),
    },
  };
}
