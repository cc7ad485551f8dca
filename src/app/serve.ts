/**
 * One control plane as a process: alone on its state folder, leading or standing by on its catalog, ready when it says
 * so, gone in order.
 */
import fs from 'node:fs/promises';
import os from 'node:os';
import {
  formatDuration,
  type Logger,
  lockFile,
  processIdentity,
  type Secret,
  shortId,
  systemClock,
  systemCode,
  writeFileDurably,
} from '#base';
import {
  type Catalog,
  type Contender,
  type Leadership,
  openCatalog,
  tryToLead,
  waitToLead,
} from '#catalog';
import { createApi } from '#server';
import { type ControlPlane, createControlPlane } from './control-plane.ts';
import { errors } from './errors.ts';
import { asSpoken, type Spoken, standbyOperations, whoLeads } from './standby.ts';
import {
  apiToken,
  noteCatalog,
  prepareStateFolder,
  type RunningServer,
  readRunningServer,
  type StateFolder,
  writeRunningServer,
} from './state/folder.ts';

export type ServeOptions = {
  state: StateFolder;
  version: string;
  /** A Postgres that others keep, instead of the embedded one. */
  databaseUrl?: Secret;
  log: Logger;
  /** Ends it: protection stops, then the API, then the catalog. */
  signal: AbortSignal;
  /** The API answers; what is declared is being taken up, unless it stands by. */
  onReady(ready: ReadyServer): void | Promise<void>;
  /** It stood by, and leads now. */
  onTakenOver?(): void;
};

/** `standsBy`: the one that leads on the same catalog. */
export type ReadyServer = { server: RunningServer; standsBy?: string };

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
  const { state, databaseUrl, log } = options;
  // What an earlier one left: it ended, because the lock was free.
  await fs.rm(state.serverFile, { force: true });
  await noteCatalog(state, databaseUrl);
  const catalog = await openCatalog(
    databaseUrl === undefined
      ? { kind: 'embedded', folder: state.catalog, log }
      : { kind: 'shared', url: databaseUrl, log },
  );
  try {
    await serveOn(catalog, options);
  } finally {
    await catalog.close();
  }
}

/** What every stretch of serving shares. */
type Serving = {
  options: ServeOptions;
  catalog: Catalog;
  startedAtMs: number;
  /** Ends it, from within too. */
  signal: AbortSignal;
  onShutdown(): void;
};

async function serveOn(catalog: Catalog, options: ServeOptions): Promise<void> {
  const stop = new AbortController();
  const serving: Serving = {
    ...{ options, catalog },
    startedAtMs: systemClock.nowMs(),
    signal: AbortSignal.any([options.signal, stop.signal]),
    onShutdown: () => stop.abort(),
  };
  const contender: Contender = {
    ...{ pool: catalog.pool, url: catalog.url, log: options.log },
    proposedId: shortId('cp-', 12),
    holder: `${os.hostname()}, pid ${process.pid}, ${options.state.root}`,
  };
  const leadership = await leadSoon(contender, serving.signal);
  if (!leadership) return await standBy(serving, contender);
  await lead(serving, leadership, (controlPlane) =>
    withApi(serving, { operations: controlPlane.operations }, async (server) => {
      await controlPlane.start();
      await options.onReady({ server });
      await untilItEnds(serving, leadership);
    }),
  );
}

/** The session of one that was just killed may be seen a moment longer: only then another one leads. */
async function leadSoon(
  contender: Contender,
  signal: AbortSignal,
): Promise<Leadership | undefined> {
  const first = await tryToLead(contender);
  const soon = AbortSignal.any([signal, AbortSignal.timeout(LEAD_WITHIN_MS)]);
  return first ?? (await waitToLead(contender, soon));
}

const LEAD_WITHIN_MS = 3_000;

/** Answers who leads, until that one ends: then this one leads. */
async function standBy(serving: Serving, contender: Contender): Promise<void> {
  const { options, catalog, startedAtMs, signal } = serving;
  const { version, state } = options;
  const operations = standbyOperations({
    pool: catalog.pool,
    server: { version, pid: process.pid, startedAtMs, stateFolder: state.root },
    onShutdown: serving.onShutdown,
  });
  const spoken: Spoken = { operations };
  await withApi(serving, spoken, async (server) => {
    await options.onReady({ server, standsBy: await whoLeads(catalog.pool) });
    const leadership = await waitToLead(contender, signal);
    if (!leadership) return;
    await lead(serving, leadership, async (controlPlane) => {
      spoken.operations = controlPlane.operations;
      try {
        await controlPlane.start();
        options.onTakenOver?.();
        await untilItEnds(serving, leadership);
      } finally {
        spoken.operations = operations;
      }
    });
  });
}

async function lead(
  { options, catalog, startedAtMs, onShutdown }: Serving,
  leadership: Leadership,
  work: (controlPlane: ControlPlane) => Promise<void>,
): Promise<void> {
  const { state, version, log } = options;
  try {
    const controlPlane = await createControlPlane({
      ...{ state, catalog, version, log, startedAtMs, onShutdown },
      ownership: leadership.ownership,
    });
    try {
      await work(controlPlane);
    } finally {
      await controlPlane.close();
    }
  } finally {
    await leadership.release();
  }
}

async function untilItEnds({ catalog, signal }: Serving, leadership: Leadership): Promise<void> {
  const ended = catalog.embedded?.ended.then(() => {
    throw errors.catalogEnded([]);
  });
  await Promise.race([aborted(signal), leadership.lost, ...(ended ? [ended] : [])]);
}

async function withApi(
  { options, startedAtMs }: Serving,
  spoken: Spoken,
  work: (server: RunningServer) => Promise<void>,
): Promise<void> {
  const { state, version, log } = options;
  const token = await apiToken(state);
  const api = await createApi({ operations: asSpoken(spoken), token, version, log });
  try {
    const url = await listen(api, state);
    const server = await thisServer(url, startedAtMs, version);
    await writeRunningServer(state, server);
    await work(server);
  } finally {
    await fs.rm(state.serverFile, { force: true });
    await api.close();
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
