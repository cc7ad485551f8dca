/** Asks the mount service of a repository on this host, and starts it where there is none. */
import type net from 'node:net';
import path from 'node:path';
import { HoldfastError, isHoldfastError } from '#base';
import type { StoreAddress } from '#repository';
import { errors } from '../../errors.ts';
import type { HydrationProgress } from '../lazy/mount-folder.ts';
import {
  type CloneAnswer,
  type CloneRequest,
  type MountShown,
  messagesOf,
  type ServiceMessage,
  type ServiceRequest,
  sendMessage,
} from './protocol.ts';
import { connect, type MountClientOptions, startAndConnect } from './start.ts';

export type { MountClientOptions };

const GOES_WITHIN_MS = 5_000;

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

/** A service that stays though nothing is mounted. */
export type HeldService = {
  /** Whether it has all at hand that the next mount needs, once it has tried. */
  ready: Promise<boolean>;
  /** Resolves when it has gone, by itself or let go. */
  ended: Promise<void>;
  /** Resolves when it has ended; where something else keeps it, as soon as it has said so. Bounded: it may be loading. */
  letGo(): Promise<void>;
};

export interface MountClient extends MountControl {
  /** Of the service: enough for `mountControl`. */
  readonly folder: string;
  /**
   * Lays out and mounts; resolves when every file shows. Idempotent, and brings back what a kill or reboot ended. Rejects
   * with the signal's reason, and is given up then.
   */
  clone(request: CloneRequest, signal?: AbortSignal): Promise<CloneAnswer>;
  /** Starts the service where there is none. Of these stores it has the newest capture at hand, too. */
  hold(stores?: readonly StoreAddress[]): Promise<HeldService>;
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
    hold: async (stores = []) =>
      holdOver((await connect(socket)) ?? (await startAndConnect(options, socket)), stores),
  };
}

function holdOver(connection: net.Socket, stores: readonly StoreAddress[]): HeldService {
  const messages = messagesOf(connection) as AsyncGenerator<ServiceMessage>;
  const gone = () => void connection.destroy();
  sendMessage(connection, { ask: 'stay', stores });
  const first = messages.next();
  // What comes after the first answer is the end, or the answer to being let go.
  const ended = first.then(() => messages.next()).then(gone, gone);
  const letGo = async () => {
    if (connection.writable) sendMessage(connection, { ask: 'leave' });
    const timer = setTimeout(gone, GOES_WITHIN_MS);
    await ended;
    clearTimeout(timer);
  };
  return { ready: first.then(isReady, isReady), ended, letGo };
}

const isReady = (answer: unknown) =>
  (answer as { value?: ServiceMessage } | undefined)?.value?.kind === 'done';

function isSilence(error: unknown): boolean {
  return isHoldfastError(error, 'recovery/mount-service-silent');
}

function socketIn(folder: string): string {
  return path.join(folder, 'socket');
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
