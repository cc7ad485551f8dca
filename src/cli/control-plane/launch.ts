/** Starting a control plane on this host: in the background, or as this very process. */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ErrorKind, HoldfastError, isHoldfastError } from '#base';
import type { Io } from '../command.ts';
import { errors } from '../errors.ts';
import { failureOf } from '../frame/failure.ts';
import { productVersion } from '../frame/version.ts';
import { type ControlPlane, connect, findControlPlane } from './client.ts';

/** What a background server tells the one who started it, once. */
type Word = { ready: true } | { failure: ReturnType<typeof failureOf> };

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

/** Starts a server that outlives this process. Rejects with what kept it from starting. */
export async function launchInBackground(io: Io): Promise<ControlPlane> {
  const { stateFolder } = await import('#app');
  const state = stateFolder();
  await fs.mkdir(state.root, { recursive: true, mode: 0o711 });
  const log = await fs.open(state.logFile, 'a', 0o600);
  const child = spawn(process.execPath, [MAIN, 'serve'], {
    cwd: path.parse(state.root).root,
    env: { ...process.env, HOLDFAST_STATE: state.root },
    detached: true,
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
  });
  await log.close();
  const word = await firstWord(child, state.logFile, io);
  if ('failure' in word) {
    const { code, kind, message, guidance, where } = word.failure;
    throw new HoldfastError(
      { code, kind: kind as ErrorKind, message, guidance, retryable: false },
      where === undefined ? {} : { where },
    );
  }
  child.disconnect();
  child.unref();
  const address = await findControlPlane({ ...process.env, HOLDFAST_URL: '' });
  if (!address) throw errors.serverEnded([state.logFile]);
  return connect(address);
}

/** Rejects where it ends, is interrupted or says nothing for long; then it is told to end. */
async function firstWord(child: ChildProcess, logFile: string, io: Io): Promise<Word> {
  const word = Promise.withResolvers<Word>();
  const giveUp = (reason: unknown) => {
    child.kill('SIGTERM');
    word.reject(reason);
  };
  const onAbort = () => giveUp(io.signal.reason);
  const onExit = () => word.reject(errors.serverEnded([logFile]));
  const timer = setTimeout(() => giveUp(errors.serverSilent([logFile])), SPEAKS_WITHIN_MS);
  child.once('message', (message) => word.resolve(message as Word));
  child.once('error', word.reject);
  child.once('exit', onExit);
  io.signal.addEventListener('abort', onAbort, { once: true });
  io.progress({ step: 'starting' });
  try {
    return await word.promise;
  } finally {
    clearTimeout(timer);
    child.off('exit', onExit);
    io.signal.removeEventListener('abort', onAbort);
    io.progress({ step: 'starting', ended: { tookMs: 0 } });
  }
}

/** Longer than its Postgres is given to come up, after a crash too. */
const SPEAKS_WITHIN_MS = 4 * 60_000;

/**
 * Runs a server as this process until it is told to stop. `onReady` may use it; where that rejects, the server ends and
 * the error is thrown. A parent that listens (see `launchInBackground`) is told how the start went.
 */
export async function serveHere(
  io: Io,
  onReady: (controlPlane: ControlPlane, standsBy?: string) => Promise<void>,
): Promise<void> {
  const { readToken, serve, stateFolder } = await import('#app');
  const { createLogger, Secret } = await import('#base');
  const state = stateFolder();
  await fs.mkdir(state.root, { recursive: true, mode: 0o711 });
  const stop = new AbortController();
  let failure: unknown;
  const { HOLDFAST_DATABASE_URL: databaseUrl } = process.env;
  try {
    await serve({
      state,
      version: productVersion(),
      ...(databaseUrl ? { databaseUrl: new Secret(databaseUrl) } : {}),
      log: createLogger({
        level: process.env.HOLDFAST_LOG ?? 'info',
        destination: state.logFile,
      }),
      signal: AbortSignal.any([io.signal, stop.signal]),
      onTakenOver: () => io.say('It leads now: the one before has ended.'),
      onReady: async ({ server: { url, pid }, standsBy }) => {
        tellParent({ ready: true });
        const token = (await readToken(state))?.reveal() ?? '';
        // Not awaited: the server must be free to serve what this asks of it.
        onReady(connect({ url, token, pid }), standsBy).catch((error: unknown) => {
          failure = error;
          stop.abort();
        });
      },
    });
  } catch (error) {
    tellParent({ failure: failureOf(error) });
    throw error;
  }
  if (failure !== undefined) throw failure;
  tellParent({ failure: failureOf(errors.interrupted([])) });
}

function tellParent(word: Word): void {
  if (!process.connected) return;
  process.send?.(word, undefined, undefined, () => {
    // A parent that has gone needn't know.
  });
}

/** The control plane that is configured or runs here; where there is none, one is started and said so. */
export async function aControlPlane(io: Io): Promise<ControlPlane> {
  const address = await findControlPlane();
  if (address) return connect(address);
  try {
    const controlPlane = await launchInBackground(io);
    io.warn(`Started a control plane (pid ${controlPlane.address.pid}). Stop it: holdfast down`);
    return controlPlane;
  } catch (error) {
    // Somebody else was just starting one.
    const running = isHoldfastError(error, 'app/already-running');
    const again = running ? await findControlPlane() : undefined;
    if (!again) throw error;
    return connect(again);
  }
}

/** Ends a server on this host and waits until its process is gone. */
export async function shutDown(
  controlPlane: ControlPlane,
  request: { dropSlots: boolean },
  io: Io,
): Promise<void> {
  const { isSameProcess, sleepMs, systemClock } = await import('#base');
  const { address, ask, client } = controlPlane;
  await ask(client.POST('/v1/shutdown', { body: request }));
  const deadlineMs = systemClock.monotonicMs() + STOPPED_WITHIN_MS;
  while (address.pid !== undefined && (await isSameProcess(address.pid, address.identity))) {
    if (systemClock.monotonicMs() > deadlineMs) throw errors.stillRunning([address.pid]);
    io.progress({ step: 'stopping' });
    await sleepMs(50, io.signal);
  }
  io.progress({ step: 'stopping', ended: { tookMs: 0 } });
}

const STOPPED_WITHIN_MS = 60_000;
