/** Asks the mount service of a repository on this host, and starts it where there is none. */
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  HoldfastError,
  isHoldfastError,
  lockFile,
  type Secret,
  sleepMs,
  systemClock,
  systemCode,
} from '#base';
import type { Repository, StorageOptions } from '#repository';
import { errors } from '../../errors.ts';
import type { HydrationProgress } from '../lazy/mount-folder.ts';
import { startLockOf } from './folder.ts';
import {
  type CloneAnswer,
  type CloneRequest,
  type MountShown,
  messagesOf,
  type ServiceMessage,
  type ServiceRequest,
  type ServiceStart,
  sendMessage,
} from './protocol.ts';

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

/** What can be asked of whatever is mounted already. */
export interface MountControl {
  /** Brings everything here, and makes it durable. Rejects with the signal's reason; call it again then. */
  hydrate(
    mountPoint: string,
    onProgress: (progress: HydrationProgress) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Goes on in the background, also when this process has ended. Undefined: as fast as it goes. */
  keepHydrating(mountPoint: string, bytesPerSecond: number | undefined): Promise<void>;
  /** Resolves when nothing is on its way any more. */
  pauseHydrating(mountPoint: string): Promise<void>;
  /** Makes durable in the background what was written so far. */
  settle(mountPoint: string): Promise<void>;
  /** Nothing where it isn't mounted. */
  unmount(mountPoint: string): Promise<void>;
  list(): Promise<MountShown[]>;
}

export interface MountClient extends MountControl {
  /** Of the service: enough for `mountControl`. */
  readonly folder: string;
  /**
   * Lays out and mounts; resolves when every file shows. Idempotent, and brings back what a kill or reboot ended. Rejects
   * with the signal's reason, and is given up then.
   */
  clone(request: CloneRequest, signal?: AbortSignal): Promise<CloneAnswer>;
}

/** Every call throws what the service answers it with. `folder`: of the service. */
export function mountControl(folder: string): MountControl {
  const socket = socketIn(folder);
  const tell = async (
    request: ServiceRequest & { mountPoint: string },
    onProgress?: (progress: HydrationProgress) => void,
    signal?: AbortSignal,
  ) => {
    const connection = await connect(socket);
    if (!connection) throw errors.notMounted([request.mountPoint]);
    await converse(connection, request, onProgress, signal);
  };
  return {
    hydrate: (mountPoint, onProgress, signal) =>
      tell({ ask: 'hydrate', mountPoint }, onProgress, signal),
    keepHydrating: (mountPoint, bytesPerSecond) => {
      const rate = bytesPerSecond === undefined ? {} : { bytesPerSecond };
      return tell({ ask: 'keep-hydrating', mountPoint, ...rate });
    },
    pauseHydrating: (mountPoint) => tell({ ask: 'pause-hydrating', mountPoint }),
    settle: (mountPoint) => tell({ ask: 'settle', mountPoint }),
    unmount: async (mountPoint) => {
      const connection = await connect(socket);
      if (!connection) return;
      await converse(connection, { ask: 'unmount', mountPoint }).catch((error: unknown) => {
        // Killed, or just ending by itself: it serves nothing any more.
        if (!isSilence(error)) throw error;
      });
    },
    list: async () => {
      const connection = await connect(socket);
      return connection ? ((await converse(connection, { ask: 'list' })) as MountShown[]) : [];
    },
  };
}

/** Nothing is started before something is to be mounted. */
export function mountClient(options: MountClientOptions): MountClient {
  const { folder } = options;
  const socket = socketIn(folder);
  return {
    folder,
    ...mountControl(folder),
    clone: async (request, signal) => {
      const ask = async () => {
        const connection = (await connect(socket)) ?? (await startAndConnect(options, socket));
        const words: ServiceRequest = { ask: 'clone', ...request };
        return (await converse(connection, words, undefined, signal)) as CloneAnswer;
      };
      try {
        return await ask();
      } catch (error) {
        // The service that was found was just ending; the next one is ours.
        if (!isSilence(error)) throw error;
        return await ask();
      }
    },
  };
}

function isSilence(error: unknown): boolean {
  return isHoldfastError(error, 'recovery/mount-service-silent');
}

function socketIn(folder: string): string {
  return path.join(folder, 'socket');
}

/** Undefined where no service listens. */
async function connect(socket: string): Promise<net.Socket | undefined> {
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

async function converse(
  connection: net.Socket,
  request: ServiceRequest,
  onProgress?: (progress: HydrationProgress) => void,
  signal?: AbortSignal,
): Promise<unknown> {
  const giveUp = () => void connection.destroy();
  signal?.addEventListener('abort', giveUp, { once: true });
  try {
    signal?.throwIfAborted();
    sendMessage(connection, request);
    for await (const message of messagesOf(connection) as AsyncIterable<ServiceMessage>) {
      if (message.kind === 'done') return message.answer;
      if (message.kind === 'failed') throw errorOf(message);
      onProgress?.(message.progress);
    }
    throw errors.mountServiceSilent([]);
  } catch (error) {
    signal?.throwIfAborted();
    // What else breaks a connection is the end of who was spoken to.
    throw error instanceof HoldfastError ? error : errors.mountServiceSilent([], { cause: error });
  } finally {
    signal?.removeEventListener('abort', giveUp);
    connection.destroy();
  }
}

function errorOf(message: ServiceMessage & { kind: 'failed' }): HoldfastError {
  const { errorKind: kind, ...init } = message;
  return new HoldfastError({ ...init, kind, retryable: false });
}

/** One service at most, however many ask for it at once. */
async function startAndConnect(options: MountClientOptions, socket: string): Promise<net.Socket> {
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
