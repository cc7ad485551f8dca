/** What bringing a restored base forward begins with: who runs it, the WAL it needs, and a configuration of its own. */
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { currentBootId, findPostgres, freePort, systemClock } from '#base';
import type { RecoverRequest, SourceContext } from '../../source.ts';
import { errors } from '../errors.ts';
import { type BaseFacts, baseFactsOf } from '../facts.ts';
import { writeCopyConfig } from './copy-config.ts';
import { type CopyState, saveCopyState } from './copy-state.ts';
import { checkIsolation } from './isolation-check.ts';
import { type OriginalConfig, originalSettings } from './original-settings.ts';
import { runAs, serverUser } from './os-user.ts';
import { stopPostmaster } from './postmaster.ts';
import { BASE_WAL, ownTree, prepareTree } from './tree.ts';
import { feedWal, prepareFeed, type WalFeedRequest } from './wal-feed.ts';
import { planWal, type WalPlan } from './wal-plan.ts';

/** Longest path of a Unix socket (sockaddr_un), with the name of the socket in it. */
const LONGEST_SOCKET_FOLDER = 107 - '/.s.PGSQL.65535.lock'.length;

/** Files of a copy outside its data directory, all in its scratch folder. */
export function copyFolders(scratch: string) {
  return {
    config: path.join(scratch, 'config'),
    configFile: path.join(scratch, 'config', 'postgresql.conf'),
    log: path.join(scratch, 'server.log'),
    wal: path.join(scratch, 'wal'),
  };
}

export type PreparedCopy = {
  facts: BaseFacts;
  state: CopyState;
  /** The data directory, by its real path. */
  directory: string;
  folders: ReturnType<typeof copyFolders>;
  feed: WalFeedRequest;
  /** Gives the feed up. */
  abort: AbortController;
  /** Tells the feed that its server takes nothing more. */
  ended: AbortController;
  /** Writes the configuration and gives everything to its user; due before the server starts. */
  configure(): Promise<void>;
};

/** Stops whatever runs on the folder. May be called again after it was cut short. */
export async function prepareCopy(
  request: RecoverRequest,
  context: SourceContext,
): Promise<PreparedCopy> {
  const facts = baseFactsOf(request.capture);
  const directory = await fs.realpath(request.directory);
  const folders = copyFolders(request.scratch);
  const state = await planCopy({ ...request, directory }, facts);
  // Before anything else: whoever takes away what was cut must know where it lies.
  await saveCopyState(request.scratch, state);
  const plan = await planWal({
    baseStart: request.capture.start,
    baseEnd: request.capture.end,
    position: request.resolved?.position ?? request.capture.end,
    segmentSizeBytes: facts.walSegmentSizeBytes,
    journal: request.journal,
  });
  const original = await originalSettings(originalConfigOf(directory, facts));
  await makeOwnFolder(folders.config, state);
  await makeOwnFolder(state.socketFolder, state);
  await stopPostmaster(directory, 'immediate');
  await prepareTree(directory, facts.majorVersion, state.user);

  const abort = new AbortController();
  const ended = new AbortController();
  const feed: WalFeedRequest = {
    plan,
    journal: request.journal,
    segmentSizeBytes: facts.walSegmentSizeBytes,
    baseFolder: path.join(directory, BASE_WAL),
    folder: folders.wal,
    serverFolder: path.join(directory, 'pg_wal'),
    user: state.user,
    signal: AbortSignal.any([context.signal, abort.signal]),
    ended: ended.signal,
    onProgress: progressOf(plan, context),
  };
  const { restoreCommand } = await prepareFeed(feed);
  const configure = async () => {
    await writeCopyConfig({
      majorVersion: facts.majorVersion,
      original,
      binaries: state.binaries,
      configFolder: folders.config,
      socketFolder: state.socketFolder,
      port: state.port,
      restoreCommand,
      recoveryTimeline:
        plan.end.line === request.capture.end.line ? 'current' : String(plan.end.line),
    });
    await ownFiles(folders.config, state);
    await Promise.all([
      ownTree(directory, state.user, request.below),
      checkIsolation({ ...state, directory, configFolder: folders.config }),
    ]);
  };
  return { facts, state, directory, folders, feed, abort, ended, configure };
}

/**
 * Server and feed side by side; whichever fails ends the other. The feed begins while the server is being configured: its
 * first segments are there when they are asked for. `serve` starts the server; it is given where the feed ends.
 */
export async function whileFed<T>(
  { feed, abort, directory, configure }: PreparedCopy,
  serve: (feeding: Promise<bigint>) => Promise<T>,
): Promise<T> {
  const feeding = feedWal(feed);
  let feedFailure: unknown;
  feeding.catch((error: unknown) => {
    feedFailure ??= error;
  });
  try {
    await configure();
    return await serve(feeding);
  } catch (error) {
    // The server fails because the feed did, never the other way round.
    const first = feedFailure ?? error;
    abort.abort(first);
    await feeding.catch(() => {});
    await stopPostmaster(directory, 'immediate');
    // On a disk that is full it would leave no room to note that the recovery failed.
    await fs.rm(feed.folder, { recursive: true, force: true });
    throw first;
  }
}

async function planCopy(request: RecoverRequest, facts: BaseFacts): Promise<CopyState> {
  const user = await serverUser(request.owner, request.directory);
  // Whoever runs it must reach what is laid there for it.
  await fs.chown(request.scratch, user.uid, user.gid);
  const { settings, majorVersion } = facts;
  const binaries = await findPostgres(majorVersion, runAs(user), request.scratch);
  if (binaries === undefined) throw errors.binariesMissing([majorVersion]);
  const configFiles = [settings.config_file, settings.hba_file, settings.ident_file];
  return {
    majorVersion,
    binaries,
    user,
    socketFolder: await socketFolderIn(request.scratch),
    port: request.port ?? (await freePort()),
    access: facts.access,
    configFiles: configFiles.filter((file) => file !== undefined),
    ...(settings.data_directory === undefined
      ? {}
      : { productionDirectory: settings.data_directory }),
    bootId: await currentBootId(),
  };
}

export function originalConfigOf(directory: string, facts: BaseFacts): OriginalConfig {
  return {
    directory,
    productionDirectory: facts.settings.data_directory,
    configFile: facts.settings.config_file,
  };
}

function progressOf(plan: WalPlan, context: SourceContext): (doneBytes: number) => void {
  const totalBytes = plan.segments
    .flatMap((segment) => segment.pieces)
    .reduce((sum, piece) => sum + Number(piece.end - piece.start), 0);
  const begunMs = systemClock.monotonicMs();
  return (doneBytes) => {
    const isOver = doneBytes >= totalBytes;
    context.progress({
      step: 'replaying WAL',
      doneBytes,
      totalBytes,
      ...(isOver ? { ended: { tookMs: systemClock.monotonicMs() - begunMs } } : {}),
    });
  };
}

/** In the scratch folder, unless its path is too long for a socket. */
async function socketFolderIn(scratch: string): Promise<string> {
  const folder = path.join(await fs.realpath(scratch), 'socket');
  if (Buffer.byteLength(folder) <= LONGEST_SOCKET_FOLDER && !folder.includes(',')) return folder;
  return fs.mkdtemp(path.join(os.tmpdir(), 'hf-'));
}

async function makeOwnFolder(folder: string, { user }: CopyState): Promise<void> {
  await fs.mkdir(folder, { recursive: true, mode: 0o700 });
  await fs.chown(folder, user.uid, user.gid);
}

async function ownFiles(folder: string, { user }: CopyState): Promise<void> {
  for (const name of await fs.readdir(folder)) {
    await fs.chown(path.join(folder, name), user.uid, user.gid);
  }
}
