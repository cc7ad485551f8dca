import { execFile } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { currentBootId, entryExists, sleepMs, systemClock } from '#base';
import type { RecoveredStore, SettleRequest, SourceContext, StartRequest } from '../../source.ts';
import { errors } from '../errors.ts';
import { requestCheckpoint } from './ask-copy.ts';
import { type CopyState, loadCopyState, saveCopyState } from './copy-state.ts';
import { dropWal, keepNeededWal, needsWal } from './handed-wal.ts';
import {
  reloadPostmaster,
  runningPostmaster,
  startPostmaster,
  stopPostmaster,
} from './postmaster.ts';
import { copyFolders } from './prepare.ts';
import { recoveredStore } from './recover.ts';
import { settleConfig } from './settle-config.ts';
import { settleTree } from './tree.ts';

const execute = promisify(execFile);
const POLL_MS = 50;
/** As long as it takes where nobody can ask for it, twice. */
const WRITTEN_WITHIN_MS = 600_000;

/** Starts a recovered copy again, or finds it running. */
export async function startCopy(
  { directory, scratch, port, survived }: StartRequest,
  context: SourceContext,
): Promise<RecoveredStore> {
  const state = await stateOfThisBoot(scratch, survived);
  const running = await runningPostmaster(directory);
  if (running !== undefined) return recoveredStore(state, running, undefined);
  const moved = port === undefined || port === state.port ? state : { ...state, port };
  const folders = copyFolders(scratch);
  await fs.mkdir(state.socketFolder, { recursive: true, mode: 0o700 });
  await fs.chown(state.socketFolder, state.user.uid, state.user.gid);
  const pid = await startPostmaster(
    {
      binaries: state.binaries,
      directory: await fs.realpath(directory),
      configFile: folders.configFile,
      logFile: folders.log,
      user: state.user,
      settings: [`port=${moved.port}`],
    },
    context.signal,
  );
  if (moved !== state) await saveCopyState(scratch, moved);
  // What it replays by itself, after a crash, it writes out before it answers.
  if (!(await needsWal(directory))) await dropWal(directory, scratch);
  return recoveredStore(moved, pid, undefined);
}

/**
 * A stop waits for what the server hasn't written yet: most of it is written while it still serves. What was replayed is
 * written out when this resolves, and the WAL that it was replayed from is gone.
 * @throws postgres/not-written-out, or what the server says
 */
export async function checkpointCopy(
  directory: string,
  context: Pick<SourceContext, 'stateFolder' | 'signal'>,
): Promise<void> {
  const { stateFolder } = context;
  const state = await loadCopyState(stateFolder);
  if (!state || (await runningPostmaster(directory)) === undefined) return;
  const isWritten =
    (await requestCheckpoint(state)) || (await untilReplayIsWritten(directory, state, context));
  if (isWritten) await dropWal(directory, stateFolder);
}

/**
 * The checkpoint behind a replay comes by itself: spread over minutes, unless it is told otherwise where it pauses
 * (checkpointer.c, CheckpointWriteDelay). False where the server ended before.
 */
async function untilReplayIsWritten(
  directory: string,
  { majorVersion }: CopyState,
  { stateFolder, signal }: Pick<SourceContext, 'stateFolder' | 'signal'>,
): Promise<boolean> {
  const spread = async (share: string) => {
    const { configFile } = copyFolders(stateFolder);
    await fs.appendFile(configFile, `checkpoint_completion_target = '${share}'\n`);
    const pid = await runningPostmaster(directory);
    if (pid !== undefined) reloadPostmaster(pid);
  };
  const deadlineMs = systemClock.monotonicMs() + WRITTEN_WITHIN_MS;
  await spread('0');
  while (await needsWal(directory)) {
    if ((await runningPostmaster(directory)) === undefined) return false;
    if (systemClock.monotonicMs() > deadlineMs) throw errors.notWrittenOut([WRITTEN_WITHIN_MS]);
    await sleepMs(POLL_MS, signal);
  }
  await spread(majorVersion < 14 ? '0.5' : '0.9');
  return true;
}

/** Throws `postgres/not-settled` where what was recovered may have been lost in part. */
async function stateOfThisBoot(scratch: string, survived: boolean): Promise<CopyState> {
  const state = await stateOf(scratch);
  const bootId = await currentBootId();
  if (state.bootId === bootId) return state;
  if (!survived) throw errors.notSettled(['this host was started anew since it was recovered']);
  const ofThisBoot = { ...state, bootId };
  await saveCopyState(scratch, ofThisBoot);
  return ofThisBoot;
}

/** Stops a copy, if it runs. What it had outside of its scratch folder, where that is named, goes with it. */
export async function stopCopy(
  directory: string,
  context?: Pick<SourceContext, 'stateFolder'>,
): Promise<void> {
  await stopPostmaster(directory);
  const state = context && (await loadCopyState(context.stateFolder));
  // In the system's folder for such things where its own path was too long. Made again by a start.
  if (state) await fs.rm(state.socketFolder, { recursive: true, force: true });
}

/**
 * Gives a copy back the configuration of production and makes all of it durable, so that it can lie at `home`. What
 * production's own start command needs outside the data directory stays as it is on this host; where it is gone, the
 * captured files are put into the data directory.
 * @throws postgres/not-settled
 */
export async function settleCopy(request: SettleRequest): Promise<void> {
  const { directory, scratch, home } = request;
  if (!(await entryExists(directory))) return;
  await stopPostmaster(directory);
  const state = await stateOf(scratch);
  if (state.bootId !== (await currentBootId())) {
    throw errors.notSettled(['this host was started anew since it was recovered']);
  }
  await keepNeededWal(directory);
  await settleTree(directory, home, state.user);
  await settleConfig(request, state);
  await announceTimeline(directory, state);
  // Recovery ran without fsync; now every byte of it is made durable at once.
  await execute('sync', ['-f', directory]);
}

/**
 * A copy archives nothing, so production's own archive hasn't got the history of the timeline that recovery began:
 * marked as ready it is archived, where production archives.
 */
async function announceTimeline(directory: string, { user }: CopyState): Promise<void> {
  const folder = path.join(directory, 'pg_wal');
  const histories = (await fs.readdir(folder)).filter((name) => name.endsWith('.history')).sort();
  const newest = histories.at(-1);
  if (newest === undefined) return;
  const mark = path.join(folder, 'archive_status', `${newest}.ready`);
  await fs.writeFile(mark, '', { mode: 0o600 });
  await fs.chown(mark, user.uid, user.gid);
}

async function stateOf(scratch: string): Promise<CopyState> {
  const state = await loadCopyState(scratch);
  if (state === undefined) throw errors.notSettled(['its scratch folder is gone']);
  return state;
}
