/** One control plane as a process: alone on its state folder, ready when it says so, gone in order. */
import fs from 'node:fs/promises';
import {
  formatDuration,
  type Logger,
  lockFile,
  type Secret,
  systemClock,
  systemCode,
  writeFileDurably,
} from '#base';
import { openCatalog } from '#catalog';
import { createApi } from '#server';
import { createControlPlane } from './control-plane.ts';
import { errors } from './errors.ts';
import {
  apiToken,
  prepareStateFolder,
  type RunningServer,
  readRunningServer,
  type StateFolder,
  writeRunningServer,
} from './state/folder.ts';
import { processIdentity } from './state/process-identity.ts';

export type ServeOptions = {
  state: StateFolder;
  version: string;
  /** A Postgres that others keep, instead of the embedded one. */
  databaseUrl?: Secret;
  log: Logger;
  /** Ends it: protection stops, then the API, then the catalog. */
  signal: AbortSignal;
  /** The API answers; what is declared is being taken up. */
  onReady(server: RunningServer): void | Promise<void>;
};

/** Resolves when it has ended. Throws `app/already-running` where another holds the state folder. */
export async function serve(options: ServeOptions): Promise<void> {
  const { state } = options;
  await prepareStateFolder(state);
  const lock = await lockFile(state.lockFile);
  if (!lock) throw errors.alreadyRunning([await whoRuns(state)]);
  try {
    await serveAlone(options);
  } finally {
    await lock.release();
  }
}

async function whoRuns(state: StateFolder): Promise<string> {
  const running = await readRunningServer(state);
  if (!running) return 'it is just starting';
  const forMs = systemClock.nowMs() - running.startedAtMs;
  return `pid ${running.pid} at ${running.url}, for ${formatDuration(forMs)}`;
}

async function serveAlone(options: ServeOptions): Promise<void> {
  const { state, log } = options;
  // What an earlier one left: it ended, because the lock was free.
  await fs.rm(state.serverFile, { force: true });
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const catalog = await openCatalog(
    options.databaseUrl === undefined
      ? { kind: 'embedded', folder: state.catalog, log }
      : { kind: 'shared', url: options.databaseUrl, log },
  );
  try {
    const startedAtMs = systemClock.nowMs();
    const controlPlane = await createControlPlane({
      ...{ state, catalog, log, startedAtMs },
      version: options.version,
      onShutdown: () => stop.abort(),
    });
    try {
      const api = await createApi({
        operations: controlPlane.operations,
        token: await apiToken(state),
        version: options.version,
        log,
      });
      try {
        const url = await listen(api, state);
        const running = await thisServer(url, startedAtMs, options.version);
        await writeRunningServer(state, running);
        await controlPlane.start();
        await options.onReady(running);
        const ended = catalog.embedded?.ended.then(() => {
          throw errors.catalogEnded([]);
        });
        await Promise.race([aborted(signal), ...(ended ? [ended] : [])]);
      } finally {
        await fs.rm(state.serverFile, { force: true });
        await api.close();
      }
    } finally {
      await controlPlane.close();
    }
  } finally {
    await catalog.close();
  }
}

async function thisServer(
  url: string,
  startedAtMs: number,
  version: string,
): Promise<RunningServer> {
  const identity = await processIdentity(process.pid);
  const known = identity === undefined ? {} : { identity };
  return { pid: process.pid, ...known, url, startedAtMs, version };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

type Listener = { listen(options: { host: string; port: number }): Promise<string> };

/** On the port of before, so that clients that remember it still find it; on another where it is taken. */
async function listen(api: Listener, state: StateFolder): Promise<string> {
  const stored = Number(await fs.readFile(state.portFile, 'utf8').catch(() => '0'));
  const host = '127.0.0.1';
  let url: string;
  try {
    url = await api.listen({ host, port: Number.isInteger(stored) ? stored : 0 });
  } catch (error) {
    if (systemCode(error) !== 'EADDRINUSE' && systemCode(error) !== 'EACCES') throw error;
    url = await api.listen({ host, port: 0 });
  }
  await writeFileDurably(state.portFile, `${new URL(url).port}\n`);
  return url;
}
